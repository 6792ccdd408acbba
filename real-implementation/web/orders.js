// One's orders: paying for one, following it, its tickets.
import { day, everyMoment, make, money, notice, now, plural, say, setText, until } from "/dom.js";
import { ask, follow, get, newKey, remember, session } from "/api.js";

// What the provider's test cards do. With Stripe itself its own fields stand here.
const cards = [
	["pm_card_visa", "Visa •••• 4242", "is accepted"],
	["pm_card_visa_chargeDeclined", "Visa •••• 0002", "is declined"],
	["pm_card_visa_chargeDeclinedInsufficientFunds", "Visa •••• 9995", "has insufficient funds"],
	["pm_card_threeDSecure2Required", "Visa •••• 3220", "asks for 3-D Secure"],
];

const words = {
	requires_confirmation: ["Not paid yet", "Choose a card."],
	authorizing: ["Asking your bank", "This takes a moment."],
	requires_action: ["Your bank wants to know that it is you",
		"Follow the link. This page goes on by itself."],
	authorized: ["Your bank agrees", "Writing the seats to your name."],
	finalized: ["The seats are yours", "Taking the money."],
	capturing: ["The seats are yours", "Taking the money."],
	paid: ["Paid", "Show these at the door, on the screen or on paper."],
	declined: ["The card was declined", "Try another one while the seats are held for you."],
	canceled: ["Canceled", "You have paid nothing, and the seats are free again."],
	expired: ["Too late", "The time for paying is over, and the seats are free again."],
	refunded: ["Canceled", "The money is on its way back to you."],
};
const reasons = {
	insufficient_funds: "There is not enough money on it.",
	generic_decline: "The bank gives no reason.",
	card_declined: "The bank gives no reason.",
	authentication: "You were not recognised.",
};
const payable = ["requires_confirmation", "declined"];
const over = ["canceled", "expired", "refunded"];

// ---- All ----

export function showOrders(main) {
	document.title = "My tickets – Onsale";
	let left = false;
	const list = make("ul.cards", {});
	const result = make("p.small", { "aria-live": "polite" }, "Loading …");
	const more = make("button", { type: "button", hidden: true }, "Older orders");
	main.append(make("h1", {}, "My tickets"), result, list, more);
	const load = async (cursor) => {
		try {
			await session();
			const page = await get(`/orders?limit=24${cursor ? `&cursor=${cursor}` : ""}`);
			const events = new Map();
			for (const { eventId } of page.items)
				if (!events.has(eventId))
					events.set(eventId, await get(`/events/${eventId}`));
			if (left)
				return;
			list.append(...page.items.map((order) => orderCard(order, events.get(order.eventId))));
			setText(result, list.children.length === 0 ? "You have bought nothing yet." : "");
			more.hidden = !page.next;
			more.onclick = () => load(page.next);
		} catch (problem) {
			if (!left)
				notice(problem.message, { name: "Try again", run: () => load(cursor) });
		}
	};
	load();
	return () => {
		left = true;
	};
}

function orderCard(order, event) {
	const kind = order.status === "paid" ? "open" : over.includes(order.status) ? "over" : "soon";
	return make("li.card", {}, make("p.when", {}, day(event.startsAt)),
		make("h2", {}, make("a.cover", { href: `#/orders/${order.orderId}` }, event.name)),
		make("p.where", {}, `${event.venue.name}, ${event.venue.city}`),
		make("p.foot", {}, make(`span.pill.${kind}`, {}, words[order.status][0]),
			make("span", {}, `${plural(order.seats.length, "seat")}, ${
				money(order.total, order.currency)}`)));
}

// ---- One ----

export function showOrder(main, orderId) {
	const view = new OrderView(main, orderId);
	view.open().catch((problem) => notice(problem.message));
	return () => view.end();
}

class OrderView {
	constructor(main, orderId) {
		this.main = main;
		this.orderId = orderId;
		this.over = false;
		this.busy = false;
		document.title = "Order – Onsale";
		main.append(make("p.small", {}, "Loading the order …"));
	}

	async open() {
		await session();
		this.order = await get(`/orders/${this.orderId}`);
		this.event = await get(`/events/${this.order.eventId}`);
		if (this.over)
			return;
		document.title = `${this.event.name} – your order – Onsale`;
		this.build();
		this.take(this.order);
		this.stopTicking = everyMoment(() => this.refreshClock());
		this.listen();
	}

	end() {
		this.over = true;
		this.unfollow?.();
		this.stopTicking?.();
	}

	// The stream ends with the story, so it is not followed beyond.
	listen() {
		if (this.unfollow || this.done())
			return;
		this.unfollow = follow(`/orders/${this.orderId}/stream`, { on: {
			order: (told) => this.told(told),
			error: (told) => notice(told.detail || told.title || "The order cannot be followed."),
		} });
	}

	done() {
		return this.order.status === "paid" || over.includes(this.order.status);
	}

	async told(told) {
		if (told.version < this.order.version)
			return;
		this.take({ ...this.order, reason: undefined, nextActionUrl: undefined, ...told });
		if (!this.done())
			return;
		this.unfollow?.();
		this.unfollow = null;
		try {
			this.take(await get(`/orders/${this.orderId}`));
		} catch (problem) {
			notice(problem.message);
		}
	}

	build() {
		const { event, order } = this;
		this.title = make("h2", { id: "order-status" });
		this.line = make("p", {});
		this.clock = make("p.big", { role: "timer" });
		this.action = make("a.button.main", { target: "_blank", rel: "noopener" }, "Go to your bank");
		this.spinner = make("progress", { "aria-label": "In progress" });
		this.confirm = make("button.main", { id: "confirm", type: "submit" },
			`Pay ${money(order.total, order.currency)}`);
		this.form = make("form", { onsubmit: (submit) => {
			submit.preventDefault();
			this.pay();
		} }, make("fieldset.choices", {}, make("legend", {}, "Test cards"),
			...cards.map(([method, name, does], i) => make("label", {},
				make("input", { type: "radio", name: "method", value: method, checked: i === 0 }),
				make("span", {}, make("strong", {}, name), ` ${does}`)))), this.confirm);
		this.quit = make("button.quiet", { id: "cancel", type: "button",
			onclick: () => this.cancel() }, "Cancel, and give the seats back");
		this.steps = ["Seats", "Payment", "Tickets"].map((name) => make("li", {}, name));
		this.tickets = make("ul.tickets", {});
		this.main.replaceChildren(
			make("ol.steps", {}, ...this.steps),
			make("header.event", {}, make("p.when", {}, day(event.startsAt)),
				make("h1", {}, make("a", { href: `#/events/${event.eventId}` }, event.name)),
				make("p.where", {}, `${event.venue.name}, ${event.venue.city}`)),
			make("div.columns.even", {},
				make("section.panel", { "aria-label": "Payment" },
					make("div", { "aria-live": "polite" }, this.title, this.line), this.spinner,
					this.clock, this.action, this.form, this.quit),
				make("section.panel", { "aria-label": "Seats" }, make("h2", {}, "Your seats"),
					make("ul.picked", {}, ...order.seats.map((seat) => make("li", {},
						make("span", {}, `${seat.section}, row ${seat.row}, seat ${seat.number}`),
						make("span", {}, money(seat.price, order.currency))))),
					make("p.total", {}, `Together ${money(order.total, order.currency)}`))),
			this.tickets);
	}

	take(order) {
		this.order = order;
		const { status } = order;
		const [title, line] = words[status] || [status, ""];
		const ending = order.cancelRequested && !this.done();
		setText(this.title, ending ? "Canceling" : title);
		setText(this.line, ending ? "This takes a moment." : status === "declined" && order.reason
			? `${reasons[order.reason] || `The bank says: ${order.reason.replaceAll("_", " ")}.`} ${line}`
			: line);
		const step = status === "paid" ? 2 : 1;
		this.steps.forEach((one, i) => {
			one.classList.toggle("done", i < step || status === "paid");
			one.toggleAttribute("aria-current", i === step);
		});
		this.form.hidden = !payable.includes(status) || ending;
		this.quit.hidden = over.includes(status) || ending;
		setText(this.quit, status === "paid" ? "Cancel, and get the money back"
			: "Cancel, and give the seats back");
		this.spinner.hidden = this.done() || (payable.includes(status) && !ending);
		this.action.hidden = status !== "requires_action" || !order.nextActionUrl || ending;
		if (order.nextActionUrl?.match(/^https?:\/\//))
			this.action.href = order.nextActionUrl;
		this.showTickets();
		this.refreshClock();
	}

	refreshClock() {
		const ends = this.order.expiresAt ? Date.parse(this.order.expiresAt) - now() : 0;
		this.clock.hidden = ends <= 0 || this.done() || this.order.cancelRequested === true;
		setText(this.clock, until(ends));
		this.clock.classList.toggle("urgent", ends < 60000);
	}

	showTickets() {
		const { tickets = [] } = this.order;
		if (this.order.status !== "paid")
			this.tickets.replaceChildren();
		else if (this.tickets.children.length !== tickets.length)
			this.tickets.replaceChildren(...tickets.map((ticket) => this.ticket(ticket)));
	}

	ticket(ticket) {
		const where = `${ticket.section}, row ${ticket.row}, seat ${ticket.number}`;
		return make("li.ticket", {},
			make("img", { src: `/tickets/${ticket.ticketId}.svg`, width: 220, height: 220,
				alt: `QR code of the ticket for ${where}` }),
			make("div", {}, make("p.when", {}, day(this.event.startsAt)),
				make("h3", {}, this.event.name), make("p.where", {}, this.event.venue.name),
				make("dl", {}, ...[["Section", ticket.section], ["Row", ticket.row],
					["Seat", ticket.number]].map(([name, value]) => make("div", {},
					make("dt", {}, name), make("dd", {}, value)))),
				make("p.small", {}, money(ticket.price, this.order.currency))));
	}

	// A lost answer is asked for again with the same key (api.js), so it is one payment; another card
	// is another one, which the server takes only where the first was declined.
	async pay() {
		if (this.busy)
			return;
		const method = new FormData(this.form).get("method");
		this.busy = this.confirm.disabled = true;
		notice();
		remember("paying", this.orderId);
		try {
			const order = await ask("POST", `/orders/${this.orderId}/confirm`,
				{ body: { paymentMethod: method }, key: newKey() });
			if (order.version >= this.order.version)
				this.take(order);
			this.listen();
		} catch (problem) {
			notice(problem.message);
			await this.reread();
		} finally {
			this.busy = this.confirm.disabled = false;
		}
	}

	// Money that was paid is not given back by a slip of the hand.
	async cancel() {
		if (this.order.status === "paid" && !this.sure) {
			this.sure = true;
			setText(this.quit, "Really? Press again, and these tickets are void");
			return;
		}
		this.quit.disabled = true;
		try {
			const order = await ask("POST", `/orders/${this.orderId}/cancel`,
				{ body: {}, key: newKey() });
			this.take({ ...order, cancelRequested: true });
			// A paid order has a story again.
			this.unfollow?.();
			this.unfollow = null;
			this.watchEnd();
			say("Canceling.");
		} catch (problem) {
			notice(problem.message);
		} finally {
			this.quit.disabled = false;
		}
	}

	// Until the order is over; it is soon.
	async watchEnd() {
		const pauseMs = 1000;
		while (!this.over && !over.includes(this.order.status)) {
			await new Promise((resolve) => setTimeout(resolve, pauseMs));
			await this.reread();
		}
	}

	async reread() {
		try {
			const order = await get(`/orders/${this.orderId}`);
			if (!this.over)
				this.take(order);
		} catch (problem) {
			notice(problem.message);
		}
	}
}
