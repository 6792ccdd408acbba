// Which view the address shows. A view is a function that fills `main` and returns what ends it.
import { make, notice, say } from "/dom.js";
import { recall, session } from "/api.js";
import { showEvents } from "/events.js";
import { showEvent } from "/event.js";
import { showOrder, showOrders } from "/orders.js";

const views = [
	{ pattern: /^#?\/?$/, show: showEvents, tab: "nav-events" },
	{ pattern: /^#\/events\/([0-9a-f-]{36})$/, show: showEvent, tab: "nav-events" },
	{ pattern: /^#\/orders$/, show: showOrders, tab: "nav-orders" },
	{ pattern: /^#\/orders\/([0-9a-f.-]{73})$/, show: showOrder, tab: "nav-orders" },
];

let leave = () => {};

function showLost(main) {
	main.append(make("h1", {}, "There is nothing here"),
		make("p", {}, make("a", { href: "#/" }, "To the events")));
	return () => {};
}

function navigate(first) {
	const hash = location.hash;
	const main = document.getElementById("app");
	if (hash === "#app") // The skip link.
		return;
	leave();
	notice();
	main.replaceChildren();
	let found = null, view = null;
	for (view of views)
		if ((found = view.pattern.exec(hash)))
			break;
	for (const tab of ["nav-events", "nav-orders"])
		document.getElementById(tab)
			.toggleAttribute("aria-current", Boolean(found) && tab === view.tab);
	leave = found ? view.show(main, found[1]) : showLost(main);
	if (!first) {
		window.scrollTo(0, 0);
		main.focus({ preventScroll: true });
		say(document.title);
	}
}

// The bank sends people back to / with the payment in the query; then the order is what they want.
if (new URLSearchParams(location.search).has("payment_intent")) {
	const order = recall("paying");
	history.replaceState(null, "", order ? `/#/orders/${order}` : "/");
}
session().catch((problem) => notice(problem.message));
addEventListener("hashchange", () => navigate(false));
navigate(true);
