// The seat map: a canvas that is drawn anew when something has changed, since a stadium's seats are
// too many for elements of their own. It can be dragged and zoomed, and used by keyboard.
import { make, money, say, setText } from "/dom.js";
import { AVAILABLE, HELD, NONE, SOLD } from "/seats.js";

const zoomMax = 40, touchRadius = 9, numberRadius = 9, cell = 40;
const full = 2 * Math.PI;

// Colors of the page's scheme, for a canvas has no style sheet.
function scheme(node) {
	const style = getComputedStyle(node);
	const color = (name) => style.getPropertyValue(name).trim();
	return { held: color("--held"), sold: color("--sold"), mine: color("--mine"),
		accent: color("--accent"), text: color("--text"), faint: color("--faint"),
		surface: color("--surface") };
}

// Black or white, whichever is read better on a color (#rrggbb): by its luminance as WCAG 2 defines
// it, where both contrasts are equal at 0.179.
function ink(color) {
	const linear = (at) => {
		const part = parseInt((color || "#5b3df5").slice(at, at + 2), 16) / 255;
		return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
	};
	return 0.2126 * linear(1) + 0.7152 * linear(3) + 0.0722 * linear(5) > 0.179 ? "#000" : "#fff";
}

export class SeatMap {
	// `toggle(at)` is called when somebody chooses a seat.
	constructor(seats, toggle) {
		this.seats = seats;
		this.toggle = toggle;
		this.chosen = new Set();
		this.mine = new Set();
		this.enabled = false;
		this.cursor = -1;
		this.pointers = new Map();
		this.canvas = make("canvas", { tabIndex: 0, role: "application", "aria-label":
			"Seat map. Arrow keys move from seat to seat, Enter chooses, plus and minus zoom.",
		"aria-describedby": "seat-told" });
		this.told = make("p.told", { id: "seat-told", "aria-live": "polite" });
		const button = (text, label, run) => make("button.quiet", { type: "button",
			"aria-label": label, title: label, onclick: run }, text);
		this.node = make("div.map", {}, this.canvas, make("div.zoom", {},
			button("+", "Zoom in", () => this.zoom(1.6)),
			button("−", "Zoom out", () => this.zoom(1 / 1.6)),
			button("⤢", "Show the whole map", () => this.fit())));
		this.measure();
		this.listen();
		seats.listen(() => this.draw());
		this.observer = new ResizeObserver(() => this.resize());
		this.observer.observe(this.node);
		this.dark = matchMedia("(prefers-color-scheme: dark)");
		this.onscheme = () => this.draw();
		this.dark.addEventListener("change", this.onscheme);
	}

	end() {
		this.observer.disconnect();
		this.dark.removeEventListener("change", this.onscheme);
		cancelAnimationFrame(this.frame);
	}

	// How far seats are from their neighbours, the map's borders, and which seats are near a point.
	measure() {
		const { seats } = this, gaps = [];
		this.grid = new Map();
		let left = 0, top = 0, right = seats.map.width, bottom = seats.map.height;
		for (let at = 0; at < seats.size; at++) {
			const x = seats.x[at], y = seats.y[at];
			const key = `${Math.floor(x / cell)} ${Math.floor(y / cell)}`;
			if (!this.grid.has(key))
				this.grid.set(key, []);
			this.grid.get(key).push(at);
			if (at > 0 && seats.row[at] === seats.row[at - 1] && gaps.length < 500)
				gaps.push(Math.hypot(x - seats.x[at - 1], y - seats.y[at - 1]));
			left = Math.min(left, x), right = Math.max(right, x);
			top = Math.min(top, y), bottom = Math.max(bottom, y);
		}
		gaps.sort((a, b) => a - b);
		this.radius = 0.42 * (gaps[gaps.length >> 1] || 20);
		this.box = { left: left - 8, top: top - 8, width: right - left + 16,
			height: bottom - top + 16 };
	}

	resize() {
		const { width, height } = this.node.getBoundingClientRect();
		const fits = !this.scale || Math.abs(this.scale - this.fitScale) < 1e-9;
		this.width = Math.max(1, width);
		this.height = Math.max(1, height);
		this.canvas.width = Math.round(this.width * devicePixelRatio);
		this.canvas.height = Math.round(this.height * devicePixelRatio);
		this.fitScale = Math.min(this.width / this.box.width, this.height / this.box.height);
		if (fits)
			this.fit();
		else
			this.move(this.scale, this.left, this.top);
	}

	fit() {
		this.move(this.fitScale, (this.width - this.box.width * this.fitScale) / 2
			- this.box.left * this.fitScale, (this.height - this.box.height * this.fitScale) / 2
			- this.box.top * this.fitScale);
	}

	// Scale and origin, kept so that the map does not get lost.
	move(scale, left, top) {
		const keep = (value, size, from, extent) => {
			const low = size / 2 - (from + extent) * this.scale, high = size / 2 - from * this.scale;
			return Math.min(high, Math.max(low, value));
		};
		this.scale = Math.min(this.fitScale * zoomMax, Math.max(this.fitScale, scale));
		this.left = keep(left, this.width, this.box.left, this.box.width);
		this.top = keep(top, this.height, this.box.top, this.box.height);
		// A finger scrolls the page over the whole map, and moves the map over a part of it.
		this.canvas.classList.toggle("zoomed", this.scale > this.fitScale * 1.01);
		this.draw();
	}

	zoom(factor, x = this.width / 2, y = this.height / 2) {
		const scale = Math.min(this.fitScale * zoomMax,
			Math.max(this.fitScale, this.scale * factor));
		if (scale === this.fitScale)
			return this.fit();
		const by = scale / this.scale;
		return this.move(scale, x - (x - this.left) * by, y - (y - this.top) * by);
	}

	// ---- Drawing ----

	draw() {
		if (!this.frame)
			this.frame = requestAnimationFrame(() => {
				this.frame = 0;
				this.paint();
			});
	}

	paint() {
		const { seats, scale } = this, context = this.canvas.getContext("2d");
		if (!this.width || !seats.status)
			return;
		this.colors = scheme(this.node);
		context.setTransform(devicePixelRatio, 0, 0, devicePixelRatio, 0, 0);
		context.clearRect(0, 0, this.width, this.height);
		for (const section of seats.map.sections)
			for (const area of section.areas)
				this.paintArea(context, area);
		const radius = this.radius * scale;
		for (const [style, group] of this.groups(radius))
			this.paintGroup(context, style, group, radius);
		if (radius >= numberRadius)
			this.paintNumbers(context, radius);
		this.paintMarks(context, radius);
	}

	// What is in sight, by how it looks.
	groups(radius) {
		const { seats, colors } = this, groups = new Map();
		const fills = seats.map.categories.map((category) =>
			(category.color || colors.accent).slice(0, 7));
		for (let at = 0; at < seats.size; at++) {
			const status = seats.status[at];
			if (status === NONE || !this.inSight(at, radius))
				continue;
			const style = status === AVAILABLE ? fills[seats.category[at]]
				: status === HELD ? "held" : "sold";
			if (!groups.has(style))
				groups.set(style, []);
			groups.get(style).push(at);
		}
		return groups;
	}

	inSight(at, radius) {
		const x = this.seats.x[at] * this.scale + this.left;
		const y = this.seats.y[at] * this.scale + this.top;
		return x > -radius && y > -radius && x < this.width + radius && y < this.height + radius;
	}

	// Status is shown by form and not by color alone: full, a ring, a dot.
	paintGroup(context, style, group, radius) {
		const form = ["held", "sold"].includes(style) ? style : "available";
		const size = form === "sold" ? radius * 0.55 : form === "held" ? radius * 0.8 : radius;
		context.beginPath();
		for (const at of group) {
			const x = this.seats.x[at] * this.scale + this.left;
			const y = this.seats.y[at] * this.scale + this.top;
			if (radius < 2.5) {
				context.rect(x - size, y - size, 2 * size, 2 * size);
			} else {
				context.moveTo(x + size, y);
				context.arc(x, y, size, 0, full);
			}
		}
		context.fillStyle = form === "sold" ? this.colors.sold : style;
		context.strokeStyle = context.fillStyle;
		if (form === "held" && radius >= 2.5) {
			context.strokeStyle = this.colors.held;
			context.lineWidth = Math.max(1, radius * 0.35);
			context.stroke();
			return;
		}
		if (form === "held")
			context.fillStyle = this.colors.held;
		context.fill();
	}

	paintNumbers(context, radius) {
		context.font = `600 ${Math.round(radius * 0.9)}px system-ui, sans-serif`;
		context.textAlign = "center";
		context.textBaseline = "middle";
		const inks = this.seats.map.categories.map((category) => ink(category.color));
		for (let at = 0; at < this.seats.size; at++)
			if (this.seats.status[at] === AVAILABLE && this.inSight(at, 0) &&
				!this.chosen.has(at)) {
				context.fillStyle = inks[this.seats.category[at]];
				context.fillText(this.seats.numbers[at],
					this.seats.x[at] * this.scale + this.left,
					this.seats.y[at] * this.scale + this.top);
			}
	}

	// Those chosen, those of one's own, and where the keyboard is; large enough at any scale.
	paintMarks(context, radius) {
		const size = Math.max(radius, 4);
		for (const [set, color] of [[this.mine, this.colors.mine],
			[this.chosen, this.colors.accent]])
			for (const at of set)
				this.paintMark(context, at, size, color);
		if (this.cursor >= 0 && document.activeElement === this.canvas)
			this.paintRing(context, this.cursor, size * 1.5, this.colors.text, 2.5);
	}

	paintMark(context, at, size, color) {
		const x = this.seats.x[at] * this.scale + this.left;
		const y = this.seats.y[at] * this.scale + this.top;
		context.beginPath();
		context.arc(x, y, size, 0, full);
		context.fillStyle = color;
		context.fill();
		this.paintRing(context, at, size * 1.35, color, Math.max(1.5, size * 0.2));
		context.beginPath();
		context.moveTo(x - size * 0.45, y);
		context.lineTo(x - size * 0.1, y + size * 0.4);
		context.lineTo(x + size * 0.5, y - size * 0.4);
		context.strokeStyle = "#fff";
		context.lineWidth = Math.max(1.5, size * 0.22);
		context.stroke();
	}

	paintRing(context, at, size, color, width) {
		context.beginPath();
		context.arc(this.seats.x[at] * this.scale + this.left,
			this.seats.y[at] * this.scale + this.top, size, 0, full);
		context.strokeStyle = color;
		context.lineWidth = width;
		context.stroke();
	}

	// Points are absolute; an area is turned around its position.
	paintArea(context, area) {
		const [x, y] = area.position;
		context.save();
		context.translate(this.left, this.top);
		context.scale(this.scale, this.scale);
		context.translate(x, y);
		context.rotate((area.rotation || 0) * Math.PI / 180);
		context.translate(-x, -y);
		context.beginPath();
		if (area.shape === "rectangle")
			context.rect(x, y, area.width, area.height);
		else if (area.shape === "circle")
			context.arc(x, y, area.radius, 0, full);
		else if (area.shape === "ellipse")
			context.ellipse(x, y, area.radiusX, area.radiusY, 0, 0, full);
		else if (area.shape === "polygon")
			area.points.forEach((point) => context.lineTo(...point));
		context.closePath();
		context.fillStyle = this.colors.faint;
		if (area.shape !== "none")
			context.fill();
		if (area.text && area.text.size * this.scale >= 6) {
			context.font = `600 ${area.text.size}px system-ui, sans-serif`;
			context.textAlign = "center";
			context.textBaseline = "middle";
			context.fillStyle = this.colors.text;
			context.fillText(area.text.text, ...area.text.position);
		}
		context.restore();
	}

	// ---- Hands ----

	listen() {
		const { canvas } = this;
		canvas.addEventListener("pointerdown", (event) => this.down(event));
		canvas.addEventListener("pointermove", (event) => this.drag(event));
		for (const type of ["pointerup", "pointercancel"])
			canvas.addEventListener(type, (event) => this.up(event));
		canvas.addEventListener("wheel", (event) => {
			if (!event.ctrlKey && !event.metaKey)
				return; // Then the page is scrolled.
			event.preventDefault();
			this.zoom(Math.exp(-event.deltaY / 200), event.offsetX, event.offsetY);
		}, { passive: false });
		canvas.addEventListener("keydown", (event) => this.key(event));
		for (const type of ["focus", "blur"])
			canvas.addEventListener(type, () => this.draw());
	}

	down(event) {
		this.pointers.set(event.pointerId, { x: event.offsetX, y: event.offsetY,
			fromX: event.offsetX, fromY: event.offsetY });
		this.pinched = this.pinched && this.pointers.size > 1;
	}

	drag(event) {
		const mine = this.pointers.get(event.pointerId);
		if (!mine) {
			this.describe(this.near(event.offsetX, event.offsetY));
			return;
		}
		const other = [...this.pointers.entries()].find(([id]) => id !== event.pointerId);
		const dx = event.offsetX - mine.x, dy = event.offsetY - mine.y;
		if (other) {
			const far = (point) => Math.hypot(point.x - other[1].x, point.y - other[1].y);
			const before = far(mine), after = far({ x: event.offsetX, y: event.offsetY });
			this.pinched = true;
			if (before > 0)
				this.zoom(after / before, other[1].x, other[1].y);
		} else if (Math.hypot(event.offsetX - mine.fromX, event.offsetY - mine.fromY) > 5
			|| mine.moved) {
			if (!mine.moved)
				this.canvas.setPointerCapture(event.pointerId);
			mine.moved = true;
			this.move(this.scale, this.left + dx, this.top + dy);
		}
		mine.x = event.offsetX;
		mine.y = event.offsetY;
	}

	up(event) {
		const mine = this.pointers.get(event.pointerId);
		this.pointers.delete(event.pointerId);
		if (!mine || mine.moved || this.pinched || event.type !== "pointerup")
			return;
		// Where seats are too small to be met, a finger comes nearer first.
		if (this.radius * this.scale < (event.pointerType === "touch" ? touchRadius : 2.5)) {
			const goal = 1.3 * touchRadius / (this.radius * this.scale);
			this.zoom(Math.min(goal, 8), event.offsetX, event.offsetY);
			return;
		}
		const at = this.near(event.offsetX, event.offsetY);
		if (at >= 0)
			this.choose(at);
	}

	near(px, py) {
		const x = (px - this.left) / this.scale, y = (py - this.top) / this.scale;
		const reach = Math.max(this.radius * 1.3, 5 / this.scale);
		let best = -1, bestFar = reach;
		for (let i = Math.floor((x - reach) / cell); i <= Math.floor((x + reach) / cell); i++)
			for (let j = Math.floor((y - reach) / cell); j <= Math.floor((y + reach) / cell); j++)
				for (const at of this.grid.get(`${i} ${j}`) || []) {
					const far = Math.hypot(this.seats.x[at] - x, this.seats.y[at] - y);
					if (far < bestFar && this.seats.status?.[at] !== NONE) {
						best = at;
						bestFar = far;
					}
				}
		return best;
	}

	choose(at) {
		this.cursor = at;
		this.toggle(at);
		this.describe(at);
		this.draw();
	}

	describe(at) {
		if (at < 0 || !this.seats.status)
			return;
		const words = { [AVAILABLE]: "free", [HELD]: "held by somebody", [SOLD]: "sold" };
		const word = this.mine.has(at) ? "held for you" : this.chosen.has(at) ? "chosen"
			: words[this.seats.status[at]];
		setText(this.told, `${this.seats.where(at)} · ${
			money(this.seats.price(at), this.seats.event.currency)} · ${word}`);
	}

	// ---- Keys ----

	key(event) {
		const steps = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
		if (event.ctrlKey || event.metaKey || event.altKey)
			return;
		if (steps[event.key])
			this.step(...steps[event.key]);
		else if (event.key === "Enter" || event.key === " ")
			this.cursor >= 0 ? this.choose(this.cursor) : this.step(0, 0);
		else if (event.key === "+" || event.key === "=")
			this.zoom(1.6);
		else if (event.key === "-")
			this.zoom(1 / 1.6);
		else if (event.key === "0")
			this.fit();
		else
			return;
		event.preventDefault();
	}

	// To the nearest seat in this direction; what lies aside counts double.
	step(dx, dy) {
		const { seats } = this;
		let best = -1, bestFar = Infinity;
		const from = this.cursor >= 0
			? [seats.x[this.cursor], seats.y[this.cursor]] : seats.map.focalPoint;
		for (let at = 0; at < seats.size; at++) {
			const x = seats.x[at] - from[0], y = seats.y[at] - from[1];
			const along = x * dx + y * dy, aside = Math.abs(x * dy) + Math.abs(y * dx);
			const far = this.cursor < 0 ? Math.hypot(x, y) : along + 2 * aside;
			const fits = this.cursor < 0 ? seats.status[at] === AVAILABLE
				: seats.status[at] !== NONE && along > 0.5 && aside <= 2 * along;
			if (fits && far < bestFar) {
				best = at;
				bestFar = far;
			}
		}
		if (best < 0) {
			say("There is no seat in this direction.");
			return;
		}
		this.cursor = best;
		this.describe(best);
		this.show(best);
	}

	// Move the map so far that the seat is in sight, and large enough to be seen.
	show(at) {
		const margin = 60;
		if (this.radius * this.scale < 5)
			this.zoom(7 / (this.radius * this.scale), this.seats.x[at] * this.scale + this.left,
				this.seats.y[at] * this.scale + this.top);
		const x = this.seats.x[at] * this.scale + this.left;
		const y = this.seats.y[at] * this.scale + this.top;
		const into = (value, size) => Math.min(size - margin, Math.max(margin, value)) - value;
		this.move(this.scale, this.left + into(x, this.width), this.top + into(y, this.height));
	}
}
