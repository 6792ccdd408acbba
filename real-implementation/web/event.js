// One event: how it stands, live; the queue; choosing seats; one's hold.
import { count, day, everyMoment, make, money, notice, now, plural, say, setText, until }
	from "/dom.js";
import { ask, follow, get, newKey, recall, remember, session } from "/api.js";
import { AVAILABLE, HELD, SOLD, Seats } from "/seats.js";
import { SeatMap } from "/seatmap.js";
import { Queue } from "/queue.js";

const optionsMs = 1500; // Between two changes of the counts in lists that one chooses from.

export function showEvent(main, eventId) {
	const view = new EventView(main, eventId);
	view.open().catch((problem) => {
		if (!view.over)
			notice(problem.message, { name: "Try again",
				run: () => dispatchEvent(new Event("hashchange")) });
	});
	return () => view.end();
}

class EventView {
	constructor(main, eventId) {
		this.main = main;
		this.eventId = eventId;
		this.room = { state: "closed", waiting: 0 };
		this.counts = null;
		this.busy = false;
		this.ends = [];
		this.over = false;
		main.append(make("p.small", {}, "Loading the event …"));
		document.title = "Event – Onsale";
	}

	async open() {
		const event = await get(`/events/${this.eventId}`);
		if (this.over)
			return;
		this.event = event;
		this.sale = event.status;
		this.queue = new Queue(event, () => this.refresh());
		this.seats = new Seats(event);
		this.build();
		this.follow();
		this.ends.push(everyMoment(() => this.refresh()));
		// Sessions come first: what follows is somebody's.
		await session();
		this.queue.resume().catch(() => {});
		this.resumeHold();
		await this.seats.load();
		if (!this.over)
			this.showMap();
	}

	end() {
		this.over = true;
		this.queue?.end();
		this.map?.end();
		this.ends.forEach((end) => end());
	}

	follow() {
		this.ends.push(follow(`/events/${this.eventId}/stream`, {
			on: {
				seats: (told) => this.seats.take(told),
				room: (told) => {
					this.room = told;
					this.refresh();
				},
				sale: (told) => this.takeSale(told),
			},
			whenSeen: true,
			reset: () => this.seats.status && this.seats.readStatuses().catch(() => {}),
			connected: (is) => {
				this.offline.hidden = is;
			},
		}));
		this.seats.listen(() => {
			this.counts = this.seats.counts;
			this.checkChosen();
			this.refreshCounts();
		});
	}

	takeSale(told) {
		if (this.sale === "upcoming" && told.sale === "on_sale")
			say("The sale has begun.");
		this.sale = told.sale;
		this.event.onSaleAt = told.onSaleAt;
		if (!this.seats.status)
			this.counts = [0, told.available, told.held, told.sold];
		this.refresh();
		this.refreshCounts();
	}

	// ---- What is on the page ----

	build() {
		const { event } = this;
		this.pill = make("span.pill", { id: "sale", "aria-live": "polite" });
		this.numbers = [AVAILABLE, HELD, SOLD].map((status) =>
			make("strong", { id: ["", "count-available", "count-held", "count-sold"][status] }, "–"));
		this.parts = [AVAILABLE, HELD, SOLD].map((status) =>
			make(["", "i.free", "i.held", "i.sold"][status], {}));
		this.offline = make("p.small", { hidden: true, "aria-live": "polite" },
			"Not connected: what you see may be old. Trying again …");
		this.roomLine = make("p.small", { id: "room", "aria-live": "polite" });
		this.panel = make("div.side", {});
		this.mapPlace = make("div", {}, make("p.small", {}, "Loading the seat map …"));
		this.buildWait();
		this.buildChoice();
		this.buildHold();
		this.main.replaceChildren(
			make("header.event", {},
				make("p.when", {}, day(event.startsAt)),
				make("h1", {}, event.name, " ", this.pill),
				make("p.who", {}, event.performers.join(" · ")),
				make("p.where", {}, `${event.venue.name}, ${event.venue.city}`),
				make("p.what", {}, event.description || ""),
				make("dl.counts", { "aria-label": "Seats" },
					...["available", "held", "sold"].map((name, i) => make("div", {},
						make("dt", {}, make(`i.dot.${["free", "held", "sold"][i]}`), name),
						make("dd", {}, this.numbers[i])))),
				make("div.meter", { "aria-hidden": "true" }, ...this.parts),
				this.roomLine, this.offline),
			make("div.columns", {}, this.panel,
				make("section.seats", { "aria-label": "Seats" }, this.mapPlace, this.buildPrices())));
	}

	buildPrices() {
		this.prices = this.event.categories.map((category) => {
			const swatch = make("i.swatch", {});
			if (category.color)
				swatch.style.backgroundColor = category.color.slice(0, 7);
			const free = make("td.number", {}, "–");
			return { category, free, row: make("tr", {}, make("td", {}, swatch, category.name),
				make("td.number", {}, money(category.price, this.event.currency)), free) };
		});
		return make("table.prices", {}, make("caption", {}, "Prices, and how many seats are free now"),
			make("thead", {}, make("tr", {}, make("th", { scope: "col" }, "Category"),
				make("th.number", { scope: "col" }, "Price"),
				make("th.number", { scope: "col" }, "Free"))),
			make("tbody", {}, ...this.prices.map((one) => one.row)));
	}

	buildWait() {
		this.waitTitle = make("h2", {});
		this.clock = make("p.big", { role: "timer" });
		this.waitLine = make("p", {});
		this.wait = make("section.panel", { "aria-label": "Sale" }, this.waitTitle, this.clock,
			this.waitLine);
	}

	select(id, label, options) {
		const field = make("select", { id }, ...options.map(([value, text]) =>
			make("option", { value }, text)));
		return [make("label", { for: id }, label), field];
	}

	buildChoice() {
		const { event } = this, most = event.seatsPerHoldMax;
		const [quantityLabel, quantity] = this.select("quantity", "How many",
			Array.from({ length: most }, (_, i) => [i + 1, plural(i + 1, "seat")]));
		const [categoryLabel, category] = this.select("category", "Category", [["", "Any"],
			...event.categories.map((one) => [one.name, one.name])]);
		const [sectionLabel, section] = this.select("section", "Section", [["", "Any"],
			...event.sections.map((one) => [one.name, one.name])]);
		quantity.value = Math.min(2, most);
		this.wish = { quantity, category, section };
		this.passLine = make("p.turn", { hidden: true });
		this.best = make("button.main", { id: "best", type: "submit" }, "Find the best seats");
		this.picked = make("ul.picked", { "aria-live": "polite" });
		this.pickedTotal = make("span", {});
		this.take = make("button.main", { id: "hold", type: "button",
			onclick: () => this.hold({ seats: this.chosenIds() }) }, "Reserve");
		this.pickedBar = make("div.bottom", { hidden: true }, this.picked,
			make("div.row", {}, this.pickedTotal,
				make("button.quiet", { type: "button", onclick: () => this.clearChosen() }, "Clear"),
				this.take));
		this.giveUp = make("button.quiet", { type: "button", hidden: true,
			onclick: () => this.queue.leave() }, "I do not want seats any more");
		this.choice = make("section.panel", { "aria-label": "Choose seats" }, this.passLine,
			make("h2", {}, "Choose your seats"),
			make("p.small", {}, `Up to ${plural(most, "seat")}. Let us find the best ones, `
				+ "or choose on the map."),
			make("form.wish", { onsubmit: (submit) => {
				submit.preventDefault();
				this.holdBest();
			} }, make("div", {}, quantityLabel, quantity), make("div", {}, categoryLabel, category),
			make("div", {}, sectionLabel, section), this.best),
			this.giveUp, this.pickedBar);
	}

	buildHold() {
		this.holdClock = make("p.big", { role: "timer" });
		this.holdList = make("ul.picked", {});
		this.holdTotal = make("p.total", {});
		this.holdPanel = make("section.panel", { id: "held", "aria-label": "Your seats" },
			make("h2", {}, "Reserved for you"), this.holdClock, this.holdList, this.holdTotal,
			make("button.main", { id: "pay", type: "button", onclick: () => this.order() },
				"Continue to payment"),
			make("button.quiet", { id: "release", type: "button", onclick: () => this.release() },
				"Give the seats back"));
	}

	showMap() {
		this.map = new SeatMap(this.seats, (at) => this.toggle(at));
		const legend = (name, text) => make("li", {}, make(`i.dot.${name}`, {}), text);
		this.mapPlace.replaceChildren(this.map.node, make("ul.legend", {},
			legend("free", "free, in its category's color"), legend("held", "held by somebody"),
			legend("sold", "sold"), legend("chosen", "chosen"), legend("mine", "yours")),
		this.map.told, make("p.small.hint", {},
			"Ctrl and the wheel, two fingers, or the buttons zoom. Drag to move."));
		this.markMine();
		this.refresh();
	}

	// ---- How it stands ----

	refresh() {
		if (this.over || !this.pill)
			return;
		const left = Date.parse(this.event.onSaleAt) - now();
		const words = { upcoming: "Not on sale yet", on_sale: "On sale", ended: "The event has begun",
			canceled: "Canceled" };
		const queued = !["closed", undefined].includes(this.room.state);
		setText(this.pill, words[this.sale] || this.sale);
		this.pill.className = `pill ${{ upcoming: "soon", on_sale: "open" }[this.sale] || "over"}`;
		setText(this.roomLine, queued ? `Waiting room: ${this.room.state}, ${
			plural(this.room.waiting || 0, "person", "people")} waiting, ${
			count(this.room.active || 0)} choosing seats.` : "There is no queue at the moment.");
		this.showPanel(this.choosePanel(queued));
		this.refreshWait(left);
		this.refreshHold();
		this.queue.show(this.room);
		document.title = `${queued ? this.queue.word() : ""}${this.event.name} – Onsale`;
		this.passLine.hidden = this.giveUp.hidden = !queued || !this.queue.hasPass();
		setText(this.passLine, `It is your turn. ${this.queue.passLeft()}`);
		if (this.map)
			this.map.enabled = this.canChoose();
		this.best.disabled = this.take.disabled = this.busy;
	}

	canChoose() {
		return this.choice.isConnected;
	}

	choosePanel(queued) {
		if (this.held)
			return this.holdPanel;
		if (["ended", "canceled"].includes(this.sale))
			return this.wait;
		if (queued && !this.queue.hasPass())
			return this.queue.node;
		return this.sale === "on_sale" ? this.choice : this.wait;
	}

	// The focus goes with it, so that nobody who uses the keyboard is lost.
	showPanel(panel) {
		if (panel.isConnected)
			return;
		const focused = this.panel.contains(document.activeElement);
		this.panel.replaceChildren(panel);
		if (focused) {
			panel.tabIndex = -1;
			panel.focus({ preventScroll: true });
		}
		if (panel !== this.choice)
			this.clearChosen();
	}

	refreshWait(left) {
		const canceled = this.sale === "canceled";
		const over = canceled || this.sale === "ended";
		setText(this.waitTitle, canceled ? "This event is canceled"
			: over ? "The event has begun" : "The sale begins in");
		this.clock.hidden = over;
		setText(this.clock, left > 0 ? until(left) : "now");
		setText(this.waitLine, over ? "" : `On ${day(this.event.onSaleAt)}. Stay on this page: `
			+ "it begins by itself.");
	}

	refreshCounts() {
		if (!this.counts || !this.pill)
			return;
		this.numbers.forEach((node, i) => setText(node, count(this.counts[i + 1])));
		this.parts.forEach((part, i) => {
			part.style.flexGrow = this.counts[i + 1];
		});
		if (!this.seats.status)
			return;
		this.prices.forEach((one) => setText(one.free, count(this.seats.free(null,
			this.categoryIndex(one.category.name)))));
		if (!this.optionsTimer)
			this.optionsTimer = setTimeout(() => this.refreshOptions(), optionsMs);
	}

	categoryIndex(name) {
		return this.seats.map.categories.findIndex((one) => one.category === name);
	}

	sectionIndex(name) {
		return this.seats.map.sections.findIndex((one) => one.section === name);
	}

	// Not while one of the lists is in use: it would move under the pointer.
	refreshOptions() {
		this.optionsTimer = 0;
		const { category, section } = this.wish;
		if (this.over || [category, section].includes(document.activeElement))
			return;
		for (const option of category.options)
			if (option.value)
				setText(option, `${option.value} (${count(
					this.seats.free(null, this.categoryIndex(option.value)))} free)`);
		for (const option of section.options)
			if (option.value)
				setText(option, `${option.value} (${count(
					this.seats.free(this.sectionIndex(option.value)))} free)`);
	}

	// ---- Choosing ----

	toggle(at) {
		const { chosen } = this.map, most = this.event.seatsPerHoldMax;
		if (!this.canChoose()) {
			notice(this.held ? "You have seats already: pay for them, or give them back."
				: "Seats can be chosen once it is your turn.");
			return;
		}
		notice();
		if (chosen.has(at))
			chosen.delete(at);
		else if (this.seats.status[at] !== AVAILABLE)
			notice(`${this.seats.where(at)} is not free.`);
		else if (chosen.size >= most)
			notice(`One person can have at most ${plural(most, "seat")}.`);
		else
			chosen.add(at);
		this.refreshChosen();
	}

	clearChosen() {
		this.map?.chosen.clear();
		this.refreshChosen();
	}

	// What somebody else has taken meanwhile is not to be had any more.
	checkChosen() {
		const lost = [...(this.map?.chosen || [])].filter((at) =>
			this.seats.status[at] !== AVAILABLE);
		if (lost.length === 0 || this.busy)
			return;
		lost.forEach((at) => this.map.chosen.delete(at));
		notice(`Somebody was faster: ${lost.map((at) => this.seats.where(at)).join("; ")}.`);
		this.refreshChosen();
	}

	chosenIds() {
		return [...this.map.chosen].map((at) => this.seats.ids[at]);
	}

	refreshChosen() {
		const chosen = [...(this.map?.chosen || [])];
		const total = chosen.reduce((sum, at) => sum + this.seats.price(at), 0);
		this.pickedBar.hidden = chosen.length === 0;
		this.picked.replaceChildren(...chosen.map((at) => make("li", {},
			make("span", {}, this.seats.where(at)),
			make("span", {}, money(this.seats.price(at), this.event.currency)))));
		setText(this.pickedTotal, chosen.length === 0 ? ""
			: `${plural(chosen.length, "seat")}, ${money(total, this.event.currency)}`);
		this.map?.draw();
	}

	// ---- Holding ----

	holdBest() {
		const { quantity, category, section } = this.wish;
		return this.hold({ best: { quantity: Number(quantity.value),
			...(category.value && { category: category.value }),
			...(section.value && { section: section.value }) } });
	}

	async hold(wish) {
		if (this.busy)
			return;
		this.busy = true;
		notice();
		this.refresh();
		try {
			const { pass } = this.queue;
			const held = await ask("POST", `/events/${this.eventId}/holds`, { body: wish,
				key: newKey(), headers: pass ? { "Waiting-Room-Pass": pass } : {} });
			this.setHold({ ...held, key: newKey() });
			this.clearChosen();
			say(`${plural(held.seats.length, "seat")} reserved for you.`);
		} catch (problem) {
			await this.refused(problem);
		} finally {
			this.busy = false;
			this.checkChosen();
			this.refresh();
		}
	}

	async refused(problem) {
		if (problem.kind === "pass-needed") {
			this.room = { ...this.room, state: "open" };
			notice("So many people want seats that there is a queue now.");
			return;
		}
		notice(problem.message);
		if (problem.kind === "pass-not-valid")
			await this.queue.look().catch(() => {});
		for (const seat of problem.body.seats || [])
			this.map?.chosen.delete(this.seats.place.get(seat));
		this.refreshChosen();
	}

	setHold(held) {
		this.held = held;
		remember(`hold:${this.eventId}`, held);
		this.markMine();
		if (held)
			this.holdList.replaceChildren(...held.seats.map((seat) => make("li", {},
				make("span", {}, `${seat.section}, row ${seat.row}, seat ${seat.number}`),
				make("span", {}, money(seat.price, held.currency)))));
		setText(this.holdTotal, held ? `Together ${money(held.total, held.currency)}` : "");
		this.refresh();
	}

	markMine() {
		if (!this.map)
			return;
		this.map.mine = new Set((this.held?.seats || []).map((seat) =>
			this.seats.place.get(seat.seatId)));
		this.map.draw();
	}

	async resumeHold() {
		const saved = recall(`hold:${this.eventId}`);
		if (!saved || Date.parse(saved.expiresAt) <= now()) {
			remember(`hold:${this.eventId}`, null);
			return;
		}
		try {
			const held = await get(`/holds/${saved.holdId}`);
			if (!this.over)
				this.setHold(held.status === "held" ? { ...saved, expiresAt: held.expiresAt } : null);
		} catch {
			if (!this.over)
				this.setHold(null);
		}
	}

	refreshHold() {
		if (!this.held)
			return;
		const left = Date.parse(this.held.expiresAt) - now();
		setText(this.holdClock, until(left));
		this.holdClock.classList.toggle("urgent", left < 60000);
		if (left <= 0) {
			this.setHold(null);
			notice("The time for paying is over, and the seats are free again.");
			this.queue.look().catch(() => {});
		}
	}

	async release() {
		try {
			await ask("DELETE", `/holds/${this.held.holdId}`);
			this.setHold(null);
			say("The seats are given back.");
			await this.queue.look();
		} catch (problem) {
			notice(problem.message);
		}
	}

	// The order has a key that is the hold's: however often one comes here, it is one order.
	async order() {
		if (this.busy)
			return;
		this.busy = true;
		try {
			const order = await ask("POST", "/orders",
				{ body: { holdId: this.held.holdId }, key: this.held.key });
			location.hash = `#/orders/${order.orderId}`;
		} catch (problem) {
			notice(problem.message);
		} finally {
			this.busy = false;
		}
	}
}
