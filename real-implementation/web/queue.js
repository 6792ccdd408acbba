// One's place in an event's waiting room: joining, how far it has come, the pass, leaving.
//
// One message tells everybody how far the room has come ("position"); how many are ahead of *me* is
// a subtraction. Messages may come late or twice, so within an epoch `serving` only grows.
import { between, count, make, now, notice, plural, say, setText, until } from "/dom.js";
import { ask, follow, newKey, recall, remember, session } from "/api.js";

const active = ["lobby", "waiting", "admitted"];
const beatSecondsMin = 3, beatSecondsDefault = 10;

export class Queue {
	// `changed()` is called when it stands otherwise.
	constructor(event, changed) {
		this.eventId = event.eventId;
		this.name = `place:${event.eventId}`;
		this.changed = changed;
		this.state = "";
		this.pass = "";
		this.epoch = this.serving = this.place = this.rank = this.first = this.beatMs = 0;
		this.perSecond = null;
		this.build();
	}

	build() {
		const shown = (name) => make(name, {});
		this.ahead = shown("p.big");
		this.title = shown("h2");
		this.line = shown("p");
		this.eta = shown("p");
		this.connection = shown("p.small");
		this.bar = make("progress", { max: 1, value: 0, "aria-label": "How far the queue has come" });
		this.join = make("button.main", { type: "button", id: "join", onclick: () => this.enter() },
			"Join the queue");
		this.quit = make("button.quiet", { type: "button", id: "leave", onclick: () => this.leave() },
			"Leave the queue");
		this.live = make("div", { "aria-live": "polite" }, this.title, this.line);
		this.node = make("section.panel", { id: "queue", "aria-label": "Waiting room" }, this.live,
			this.ahead, this.bar, this.eta, this.join, this.quit, this.connection);
	}

	// Who was here before a reload still has the place.
	async resume() {
		const saved = recall(this.name);
		const { userId } = await session();
		if (!saved || saved.userId !== userId)
			return;
		this.token = saved.placeToken;
		await this.enter();
	}

	async enter() {
		this.join.disabled = true;
		try {
			const { userId } = await session();
			const standing = await ask("POST", `/events/${this.eventId}/waiting-room`, {
				body: this.token ? { placeToken: this.token } : {}, key: newKey() });
			this.first = 0;
			this.userId = userId;
			this.take(standing);
			if (active.includes(this.state))
				this.begin();
		} catch (problem) {
			this.forget();
			notice(problem.message);
		} finally {
			this.join.disabled = false;
		}
	}

	begin() {
		this.end();
		this.unfollow = follow(`/waiting-room/${this.token}/stream`, {
			on: { place: (one) => this.take(one), admitted: (one) => this.take(one),
				position: (one) => this.move(one), ended: (one) => this.finish(one) },
			connected: (is) => setText(this.connection,
				is ? "" : "The connection is lost. Your place is kept; trying again …"),
		});
		this.heart = setTimeout(() => this.beat(), this.beatMs || beatSecondsDefault * 1000);
	}

	// Whoever is not heard from for long is taken to have gone.
	async beat() {
		try {
			if (!this.beatMs) {
				const room = await ask("GET", `/events/${this.eventId}/waiting-room`);
				this.beatMs = 1000 * Math.max(beatSecondsMin,
					(room.settings.heartbeatSeconds || 3 * beatSecondsDefault) / 3);
			}
			await ask("POST", `/waiting-room/${this.token}/heartbeat`,
				{ body: this.pass ? { pass: this.pass } : {}, key: newKey() });
		} catch (problem) {
			// The stream tells when the place is lost; one beat that is missing loses none.
			if (problem.status === 403 || problem.status === 404 || problem.status === 410)
				return;
		}
		if (this.unfollow)
			this.heart = setTimeout(() => this.beat(), this.beatMs || beatSecondsDefault * 1000);
	}

	async leave() {
		try {
			await ask("DELETE", `/waiting-room/${this.token}`);
			this.forget();
			say("You have left the queue.");
		} catch (problem) {
			notice(problem.message);
		}
	}

	forget() {
		this.end();
		remember(this.name, null);
		this.state = this.pass = this.token = "";
		this.place = this.rank = 0;
		this.changed();
	}

	finish(standing) {
		this.take(standing);
		const state = this.state;
		this.end();
		remember(this.name, null);
		this.token = this.pass = "";
		this.state = state;
		this.changed();
	}

	// The pass was refused, or has served: how does it stand?
	async look() {
		this.pass = "";
		if (this.token)
			await this.enter();
	}

	move(told) {
		if (told.epoch !== undefined && told.epoch !== this.epoch) {
			this.epoch = told.epoch;
			this.serving = 0;
		}
		this.serving = Math.max(this.serving, told.serving || 0);
		this.exact = told.exact !== false;
		if (told.perSecond !== undefined)
			this.perSecond = told.perSecond;
		this.changed();
	}

	take(told) {
		const before = this.state;
		this.state = told.state;
		this.place = told.place || this.place;
		this.rank = told.lobbyRank || this.rank;
		this.pass = told.pass || "";
		this.passEnds = told.passExpiresAt ? Date.parse(told.passExpiresAt) : 0;
		if (told.etaSeconds !== undefined)
			this.etaSeconds = told.etaSeconds;
		if (told.placeToken && told.placeToken !== this.token) {
			this.token = told.placeToken;
			remember(this.name, { userId: this.userId, placeToken: this.token });
		}
		this.move(told);
		if (this.state === "waiting" && this.first === 0)
			this.first = this.before() + 1;
		if (before && before !== this.state && this.state === "admitted")
			say("It is your turn. Choose your seats.");
	}

	before() {
		return Math.max(0, this.place - this.serving - 1);
	}

	hasPass() {
		return this.state === "admitted" && this.pass !== "";
	}

	isIn() {
		return active.includes(this.state);
	}

	// From as fast to as slow as people were called in the last minutes; the server's own rule.
	range() {
		if (this.perSecond)
			return { low: Math.floor(this.before() / this.perSecond.high),
				high: Math.ceil((this.before() + 1) / this.perSecond.low) };
		return this.etaSeconds;
	}

	// For the title, which is seen where the page is not.
	word() {
		return this.hasPass() ? "Your turn! "
			: this.state === "waiting" ? `${count(this.before())} ahead · ` : "";
	}

	passLeft() {
		return this.passEnds ? `Begin within ${until(this.passEnds - now())}.` : "";
	}

	// `room`: what the event's stream tells of it.
	show(room) {
		const texts = {
			lobby: ["You are in the lobby", "At the start everybody here is given a place by lot."],
			waiting: ["You are in the queue", "Keep this page open; it tells you when it is your turn."],
			expired: ["Your time is over", "You can join the queue again, at its end."],
			left: ["You have left the queue", "You can join it again, at its end."],
			admitted: ["It is your turn", ""],
		};
		const people = room.waiting > 0 ? `${plural(room.waiting, "person", "people")} waiting now.`
			: "Nobody is waiting just now.";
		const why = { draining: "It takes nobody in any more.", paused: "It is paused." }[room.state]
			|| "So that everybody has a fair chance, people come in one after another.";
		const [title, line] = texts[this.state] || ["There is a queue for these seats",
			`${why} ${people}`];
		setText(this.title, title);
		setText(this.line, line);
		const waits = this.state === "waiting", range = this.range();
		this.ahead.hidden = this.bar.hidden = this.eta.hidden = !waits;
		if (waits) {
			setText(this.ahead, this.before() === 0 ? "You are next"
				: `${this.exact ? "" : "about "}${count(this.before())} ahead of you`);
			this.bar.value = this.first > 0 ? 1 - this.before() / this.first : 0;
			setText(this.eta, `Place ${count(this.place)}. ${room.state === "paused"
				? "The queue is paused." : !range ? "How long it takes is not known yet."
					: between(range.low, range.high)}`);
		}
		this.join.hidden = this.isIn() || room.state === "draining";
		this.quit.hidden = !this.isIn();
	}

	end() {
		if (this.unfollow)
			this.unfollow();
		clearTimeout(this.heart);
		this.unfollow = null;
		setText(this.connection, "");
	}
}
