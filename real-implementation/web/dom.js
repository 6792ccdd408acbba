// What every view needs: elements, words for numbers and times, and one clock for countdowns.

// make("p.small", {hidden: true}, "text", child …): an element. Text stays text: nothing that comes
// from elsewhere is ever read as HTML. Properties that begin with "on" are listeners; "aria-…",
// "data-…" and `role` are attributes.
export function make(name, properties = {}, ...children) {
	const [tag, ...classes] = name.split(".");
	const node = document.createElement(tag);
	node.classList.add(...classes);
	for (const [key, value] of Object.entries(properties)) {
		if (key.startsWith("on"))
			node.addEventListener(key.slice(2), value);
		else if (key.includes("-") || key === "role" || key === "for" || key === "list")
			node.setAttribute(key, value);
		else
			node[key] = value;
	}
	node.append(...children.filter((child) => child !== null && child !== undefined));
	return node;
}

// Change a text only where it differs, so that nothing is announced or drawn without need.
export function setText(node, text) {
	if (node.textContent !== String(text))
		node.textContent = text;
}

// For those who do not see what has changed.
export function say(text) {
	setText(document.getElementById("said"), text);
}

// A problem, above the page until something else happens; without a text: none.
export function notice(text = "", action = null) {
	const place = document.getElementById("notice");
	place.replaceChildren();
	if (!text)
		return;
	place.append(make("div.problem", {}, make("p", {}, text),
		...(action ? [make("button.quiet", { type: "button", onclick: action.run }, action.name)] : []),
		make("button.quiet", { type: "button", "aria-label": "Close this message",
			onclick: () => notice() }, "✕")));
}

// ---- Words ----

export function money(minor, currency) {
	const form = new Intl.NumberFormat("en", { style: "currency", currency });
	const digits = form.resolvedOptions().maximumFractionDigits;
	const value = minor / 10 ** digits;
	return Number.isInteger(value)
		? new Intl.NumberFormat("en", { style: "currency", currency, minimumFractionDigits: 0 })
			.format(value)
		: form.format(value);
}

export function count(number) {
	return new Intl.NumberFormat("en").format(number);
}

export function plural(number, one, many = `${one}s`) {
	return `${count(number)} ${number === 1 ? one : many}`;
}

export function day(text) {
	return new Intl.DateTimeFormat("en-GB", { weekday: "short", day: "numeric", month: "short",
		year: "numeric", hour: "2-digit", minute: "2-digit" }).format(new Date(text));
}

export function until(ms) {
	const seconds = Math.max(0, Math.ceil(ms / 1000));
	const two = (number) => String(number).padStart(2, "0");
	const days = Math.floor(seconds / 86400), hours = Math.floor(seconds / 3600) % 24;
	const minutes = Math.floor(seconds / 60) % 60;
	if (days > 0)
		return `${plural(days, "day")} ${two(hours)}:${two(minutes)}:${two(seconds % 60)}`;
	return hours > 0 ? `${hours}:${two(minutes)}:${two(seconds % 60)}`
		: `${minutes}:${two(seconds % 60)}`;
}

// A range of seconds, in words.
export function between(low, high) {
	if (high < 10)
		return "A few seconds.";
	const from = roughly(low), to = roughly(high);
	return from === to ? `About ${to}.` : `About ${from} to ${to}.`;
}

function roughly(seconds) {
	if (seconds < 90)
		return plural(seconds, "second");
	return seconds < 5400 ? plural(Math.round(seconds / 60), "minute")
		: plural(Math.round(seconds / 360) / 10, "hour");
}

// ---- Time ----

// By how much the server's clock is ahead of ours. Its Date header has whole seconds, so less than
// two says nothing.
let ahead = 0;

export function learnTime(header) {
	const difference = header ? Date.parse(header) + 500 - Date.now() : 0;
	ahead = Math.abs(difference) < 2000 ? 0 : difference;
}

export function now() {
	return Date.now() + ahead;
}

const tickers = new Set();
let ticking = 0;

function tick() {
	for (const ticker of tickers)
		ticker();
}

// Call it now and a few times a second, until the function that this returns is called.
export function everyMoment(ticker) {
	tickers.add(ticker);
	if (tickers.size === 1)
		ticking = setInterval(tick, 250);
	ticker();
	return () => {
		tickers.delete(ticker);
		if (tickers.size === 0)
			clearInterval(ticking);
	};
}
