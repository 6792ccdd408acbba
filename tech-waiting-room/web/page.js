// Joins a room as somebody new and shows the place, moved by the room's stream.
//
// One message tells everybody how far the room has come; how many are ahead of *me* is a
// subtraction. Messages may come twice or late, so within an epoch `serving` only grows.
"use strict";

const element = (id) => document.getElementById(id);
const me = { person: "", token: "", event: "", state: "", place: 0, rank: 0, pass: "", first: 0 };
const room = { epoch: 0, serving: 0, tail: 0, state: "", exact: true, perSecond: null };
let stream = null;
let retryTimer = 0;

const show = (id, text) => { element(id).textContent = text; };

function duration(seconds) {
	if (seconds < 90)
		return `${seconds} s`;
	return seconds < 5400 ? `${Math.round(seconds / 60)} min` : `${(seconds / 3600).toFixed(1)} h`;
}

function ahead() {
	return Math.max(0, me.place - room.serving - 1);
}

// The same rule as the server's: from as fast to as slow as people were called in the last minutes.
function eta() {
	if (!room.perSecond)
		return "not known";
	const low = Math.floor(ahead() / room.perSecond.high);
	const high = Math.ceil((ahead() + 1) / room.perSecond.low);
	return `${duration(low)} to ${duration(high)}`;
}

function stateText() {
	switch (me.state) {
	case "lobby": return "You are in the lobby. At the start, places are drawn.";
	case "waiting": return "You are in line.";
	case "admitted": return "It is your turn.";
	case "expired": return "Your time is over.";
	case "left": return "You have left.";
	default: return "The room does not know you any more.";
	}
}

function draw() {
	const waiting = me.state === "waiting";
	element("place").hidden = false;
	show("state", stateText());
	show("ahead", waiting ? `${ahead()} ahead of you${room.exact ? "" : ", about"}` : "");
	element("progress").hidden = !waiting;
	element("progress").value = me.first > 0 ? 1 - ahead() / me.first : 1;
	show("person", me.person);
	show("number", me.place > 0 ? me.place : `rank ${me.rank} in the lobby`);
	show("serving", room.serving);
	show("tail", room.tail);
	show("eta", eta());
	for (const part of document.querySelectorAll(".eta"))
		part.hidden = !waiting;
	show("room", room.state);
	element("pass-line").hidden = me.pass === "";
	show("pass", me.pass);
	element("leave").hidden = !["lobby", "waiting", "admitted"].includes(me.state);
}

function takeRoom(message) {
	if (message.epoch !== undefined && message.epoch !== room.epoch) {
		room.epoch = message.epoch;
		room.serving = 0;
	}
	room.serving = Math.max(room.serving, message.serving);
	room.tail = message.tail;
	room.state = message.roomState;
	room.exact = message.exact;
	if (message.perSecond !== undefined)
		room.perSecond = message.perSecond;
}

function takeMine(message) {
	takeRoom(message);
	me.state = message.state;
	me.place = message.place || me.place;
	me.rank = message.lobbyRank || me.rank;
	me.pass = message.pass || "";
	if (message.placeToken && message.placeToken !== me.token) {
		me.token = message.placeToken;
		sessionStorage.setItem("place",
			JSON.stringify({ person: me.person, event: me.event, token: me.token }));
	}
	if (message.passExpiresAt) {
		element("until").dateTime = message.passExpiresAt;
		show("until", new Date(message.passExpiresAt).toLocaleTimeString());
	}
	if (me.state === "waiting" && me.first === 0)
		me.first = ahead();
	draw();
}

async function ask(method, path, body) {
	const reply = await fetch(path, {
		method,
		headers: body ? { "Content-Type": "application/json" } : {},
		body: body ? JSON.stringify(body) : undefined,
		referrerPolicy: "no-referrer",
	});
	const message = reply.status === 204 ? {} : await reply.json();
	if (!reply.ok)
		throw new Error(message.detail || message.title);
	return message;
}

function end() {
	clearTimeout(retryTimer);
	if (stream)
		stream.close();
	stream = null;
}

// A broken connection is mended by the browser itself. What it gives up (a refusal) is tried again
// here: with the token, the place is not lost.
function retryLater() {
	end();
	show("connection", "Not connected. Trying again …");
	retryTimer = setTimeout(comeBack, 2000 + Math.random() * 3000);
}

async function comeBack() {
	try {
		takeMine(await ask("POST", `/events/${me.event}/waiting-room`,
			{ userId: me.person, placeToken: me.token, ...(me.pass && { pass: me.pass }) }));
		follow();
	} catch {
		retryLater();
	}
}

function follow() {
	end();
	stream = new EventSource(`/waiting-room/${me.token}/stream`);
	stream.onopen = () => show("connection", "Connected.");
	stream.onerror = () => {
		show("connection", "Reconnecting …");
		if (stream && stream.readyState === EventSource.CLOSED)
			retryLater();
	};
	stream.addEventListener("place", (event) => takeMine(JSON.parse(event.data)));
	stream.addEventListener("admitted", (event) => takeMine(JSON.parse(event.data)));
	stream.addEventListener("position", (event) => {
		takeRoom(JSON.parse(event.data));
		draw();
	});
	stream.addEventListener("ended", (event) => {
		takeMine(JSON.parse(event.data));
		end();
		show("connection", "");
	});
}

element("join").addEventListener("submit", async (event) => {
	event.preventDefault();
	end();
	Object.assign(me, { person: `visitor-${crypto.randomUUID()}`, event: element("event").value,
		token: "", state: "", place: 0, rank: 0, pass: "", first: 0 });
	Object.assign(room, { epoch: 0, serving: 0, perSecond: null });
	try {
		takeMine(await ask("POST", `/events/${me.event}/waiting-room`, { userId: me.person }));
		follow();
	} catch (error) {
		show("connection", error.message);
	}
});

// It comes disabled, so that nobody presses it before this script listens.
document.querySelector("#join button").disabled = false;

element("leave").addEventListener("click", async () => {
	try {
		await ask("DELETE", `/waiting-room/${me.token}`);
		end();
		me.state = "left";
		me.pass = "";
		show("connection", "");
		draw();
	} catch (error) {
		show("connection", error.message);
	}
});

element("event").value = new URLSearchParams(location.search).get("event") || "demo";

// A reload of the tab keeps the place.
const saved = JSON.parse(sessionStorage.getItem("place"));
if (saved && saved.event === element("event").value) {
	Object.assign(me, saved);
	comeBack();
}
