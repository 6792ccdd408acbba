// The server: requests by the session's cookie, problems as errors, and streams that come back.
import { learnTime } from "/dom.js";

// A problem (RFC 9457), or that there was no answer (status 0).
export class Problem extends Error {
	constructor(status, body, retryMs = 0) {
		super(body.detail || body.title || `The server answers ${status}.`);
		this.status = status;
		this.kind = String(body.type || "").split(":").pop();
		this.body = body;
		this.retryMs = retryMs;
	}
}

// What makes a repeated request the same one. (randomUUID is there over TLS only.)
export function newKey() {
	const bytes = crypto.getRandomValues(new Uint8Array(16));
	return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

async function send(method, path, { body, key, headers = {} }) {
	let reply;
	try {
		reply = await fetch(path, {
			method,
			credentials: "same-origin",
			headers: {
				...(body !== undefined && { "Content-Type": "application/json" }),
				...(key && { "Idempotency-Key": key }),
				...headers,
			},
			body: body === undefined ? undefined : JSON.stringify(body),
		});
	} catch {
		throw new Problem(0, { detail: "The server cannot be reached. Are you online?" });
	}
	learnTime(reply.headers.get("Date"));
	const text = await reply.text();
	let message = {};
	try {
		message = text ? JSON.parse(text) : {};
	} catch {
		message = { detail: text.slice(0, 200) };
	}
	if (!reply.ok)
		throw new Problem(reply.status, message,
			1000 * Number(reply.headers.get("Retry-After") || 0));
	return message;
}

// Whether it is worth asking again by itself: the server was busy or away, and the request may be
// repeated, since it changes nothing or has a key.
function passes(problem, method, options) {
	const repeatable = method === "GET" || method === "DELETE" || options.key;
	return repeatable && [0, 429, 502, 503, 504].includes(problem.status);
}

export async function ask(method, path, options = {}) {
	const attemptsMax = 4;
	for (let attempt = 1; ; attempt++) {
		try {
			return await send(method, path, options);
		} catch (problem) {
			if (problem.status === 401 && !options.again) {
				me = null;
				await session();
				return ask(method, path, { ...options, again: true });
			}
			if (attempt === attemptsMax || !passes(problem, method, options))
				throw problem;
			const pause = problem.retryMs || 250 * 2 ** attempt;
			await sleep(Math.min(pause, 5000) * (0.5 + Math.random()));
		}
	}
}

export const get = (path) => ask("GET", path);

// ---- Who I am ----

let me = null;

// The person of this browser, {userId}: made or kept alive. The cookie with the token is out of our
// reach on purpose.
export function session() {
	me = me || ask("POST", "/sessions", { body: {}, key: newKey(), again: true }).catch((problem) => {
		me = null;
		throw problem;
	});
	return me;
}

// ---- Streams ----

// Follow a stream of Server-Sent Events. A lost connection is mended by the browser, which says
// where it was; what the browser gives up is begun again here, and then `reset` is called, since
// something may have been missed. With `whenSeen` it rests while the page is out of sight: a browser
// has six connections to a server for all of its tabs. The function that this returns ends it.
export function follow(path, { on, reset = () => {}, connected = () => {}, whenSeen = false }) {
	const secondMs = 1000;
	let source = null, timer = 0, failures = 0, ended = false, resting = false;
	const begin = () => {
		source = new EventSource(path);
		source.onopen = () => {
			if (failures > 0)
				reset();
			failures = 0;
			connected(true);
		};
		source.onerror = () => {
			connected(false);
			if (source.readyState !== EventSource.CLOSED)
				return;
			failures++;
			timer = setTimeout(begin,
				Math.min(10, failures) * secondMs * (0.5 + Math.random()));
		};
		source.addEventListener("reset", reset);
		for (const [type, take] of Object.entries(on))
			source.addEventListener(type, (event) => {
				// What the browser itself tells of has no data.
				if (!ended && event.data !== undefined)
					take(JSON.parse(event.data));
			});
	};
	const look = () => {
		if (document.hidden === resting)
			return;
		resting = document.hidden;
		clearTimeout(timer);
		source.close();
		if (resting)
			return;
		begin();
		reset();
	};
	begin();
	if (whenSeen)
		document.addEventListener("visibilitychange", look);
	return () => {
		ended = true;
		document.removeEventListener("visibilitychange", look);
		clearTimeout(timer);
		source.close();
	};
}

// ---- What this browser remembers ----

// Over a reload, and only for the same person: a place, a hold, each with the event in its name.
export function remember(name, value) {
	if (value === null)
		localStorage.removeItem(name);
	else
		localStorage.setItem(name, JSON.stringify(value));
}

export function recall(name) {
	try {
		return JSON.parse(localStorage.getItem(name));
	} catch {
		return null;
	}
}
