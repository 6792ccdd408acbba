// The list of events, and search.
import { day, everyMoment, make, money, notice, now, plural, setText, say, until } from "/dom.js";
import { get } from "/api.js";

const pauseMs = 200; // Between the last key and the question.

function saleText(item) {
	const left = Date.parse(item.onSaleAt) - now();
	if (item.status === "upcoming" && left > 0)
		return `On sale in ${until(left)}`;
	return { canceled: "Canceled", ended: "The event has begun" }[item.status] || "On sale now";
}

function saleClass(item) {
	if (item.status === "upcoming" && Date.parse(item.onSaleAt) > now())
		return "soon";
	return ["canceled", "ended"].includes(item.status) ? "over" : "open";
}

function priceText(item) {
	const from = money(item.priceFrom, item.currency);
	return item.priceFrom === item.priceTo ? from
		: `${from} to ${money(item.priceTo, item.currency)}`;
}

function card(item) {
	const sale = make("span.pill", {});
	const node = make("li.card", {},
		make("p.when", {}, day(item.startsAt)),
		make("h2", {}, make("a.cover", { href: `#/events/${item.eventId}` }, item.name)),
		make("p.who", {}, item.performers.join(" · ")),
		make("p.where", {}, `${item.venue.name}, ${item.venue.city}`),
		make("p.foot", {}, sale, make("span", {}, priceText(item))));
	const refresh = () => {
		setText(sale, saleText(item));
		sale.className = `pill ${saleClass(item)}`;
	};
	refresh();
	return { node, refresh };
}

export function showEvents(main) {
	document.title = "Events – Onsale";
	let cards = [], asked = 0, timer = 0, next = null;
	const field = make("input", { id: "q", type: "search", maxLength: 200, autocomplete: "off",
		placeholder: "Artist, event, venue or city", spellcheck: false });
	const result = make("p.small", { "aria-live": "polite" });
	const list = make("ul.cards", {});
	const more = make("button", { type: "button", hidden: true }, "More events");

	const load = async (cursor) => {
		const mine = ++asked;
		const query = new URLSearchParams({ limit: 24 });
		if (field.value.trim())
			query.set("q", field.value.trim().slice(0, 60));
		if (cursor)
			query.set("cursor", cursor);
		try {
			const page = await get(`/events?${query}`);
			if (mine !== asked)
				return; // Somebody has typed on.
			const fresh = page.items.map(card);
			cards = cursor ? [...cards, ...fresh] : fresh;
			if (!cursor)
				list.replaceChildren();
			list.append(...fresh.map((one) => one.node));
			next = page.next;
			more.hidden = !next;
			setText(result, cards.length === 0 ? "Nothing like this is on the programme."
				: `${plural(cards.length, "event")}${next ? ", and more" : ""}`);
			notice();
		} catch (problem) {
			if (mine === asked)
				notice(problem.message, { name: "Try again", run: () => load(cursor) });
		}
	};

	field.addEventListener("input", () => {
		clearTimeout(timer);
		timer = setTimeout(load, pauseMs);
	});
	more.addEventListener("click", () => {
		say("Loading more events");
		load(next);
	});
	main.append(
		make("section.hero", {},
			make("h1", {}, "What would you like to see?"),
			make("form.search", { role: "search", onsubmit: (event) => {
				event.preventDefault();
				load();
			} }, make("label.unseen", { for: "q" }, "Search events"), field)),
		result, list, more);
	load();
	const stop = everyMoment(() => cards.forEach((one) => one.refresh()));
	return () => {
		asked++;
		clearTimeout(timer);
		stop();
	};
}
