// The seats of an event: where they are, and how each stands, kept up to date by the event's stream.
import { get } from "/api.js";

export const NONE = 0, AVAILABLE = 1, HELD = 2, SOLD = 3;
const letters = { a: AVAILABLE, h: HELD, s: SOLD };
const names = { available: AVAILABLE, held: HELD, sold: SOLD };

export class Seats {
	constructor(event) {
		this.event = event;
		this.map = null;
		this.status = null;
		this.version = -1;
		this.counts = [0, 0, 0, 0];
		this.waiting = []; // Told before the statuses were there.
		this.reading = null;
		this.listeners = new Set();
	}

	// The geometry, then the statuses.
	async load() {
		this.flatten(await get(`/events/${this.event.eventId}/map`));
		await this.readStatuses();
	}

	// Columns by seat, in the order in which the stream counts them.
	flatten(map) {
		const size = map.seats;
		this.map = map;
		this.size = size;
		this.x = new Float32Array(size);
		this.y = new Float32Array(size);
		this.category = new Uint16Array(size);
		this.section = new Uint16Array(size);
		this.row = new Uint32Array(size);
		this.ids = new Array(size);
		this.numbers = new Array(size);
		this.rows = [];
		this.place = new Map();
		this.sectionCounts = map.sections.map(() => new Map());
		map.sections.forEach((section, s) => section.rows.forEach((row) => {
			for (let i = 0; i < row.ids.length; i++) {
				const at = row.first + i;
				this.x[at] = row.x[i];
				this.y[at] = row.y[i];
				this.category[at] = row.categories[i];
				this.section[at] = s;
				this.row[at] = this.rows.length;
				this.ids[at] = row.ids[i];
				this.numbers[at] = row.numbers[i];
				this.place.set(row.ids[i], at);
			}
			this.rows.push(row.row);
		}));
	}

	// One reading at a time; whoever asks meanwhile gets the same one.
	readStatuses() {
		this.reading = this.reading || this.readOnce().finally(() => {
			this.reading = null;
		});
		return this.reading;
	}

	async readOnce() {
		const read = await get(`/events/${this.event.eventId}/statuses`);
		this.status = Uint8Array.from(read.statuses, (letter) => letters[letter] || NONE);
		this.version = read.version;
		this.countAll();
		const told = this.waiting;
		this.waiting = [];
		told.forEach((one) => this.set(one));
		this.tell(null);
	}

	// What the stream has told. Of what is older than the statuses nothing is news; what comes while
	// they are read is kept until they are there.
	take(told) {
		if (!this.status || this.reading)
			this.waiting.push(told);
		if (this.status) {
			const changed = this.set(told);
			if (changed.length > 0)
				this.tell(changed);
		}
	}

	set(told) {
		const changed = [];
		if (told.version <= this.version)
			return changed;
		for (const [name, status] of Object.entries(names))
			for (const at of told[name] || [])
				if (at < this.size && this.status[at] !== status) {
					this.move(at, this.status[at], -1);
					this.status[at] = status;
					this.move(at, status, 1);
					changed.push(at);
				}
		return changed;
	}

	// A message may be cut into several that have the same version, so only a reading moves ours.

	move(at, status, by) {
		if (status === NONE)
			return;
		const section = this.sectionCounts[this.section[at]];
		let counts = section.get(this.category[at]);
		if (!counts)
			section.set(this.category[at], counts = [0, 0, 0, 0]);
		counts[status] += by;
		this.counts[status] += by;
	}

	countAll() {
		this.counts = [0, 0, 0, 0];
		this.sectionCounts.forEach((section) => section.clear());
		for (let at = 0; at < this.size; at++)
			this.move(at, this.status[at], 1);
	}

	// How many are free, of a section (its index; null: any) and a category (likewise).
	free(section = null, category = null) {
		let sum = 0;
		this.sectionCounts.forEach((counts, s) => {
			if (section === null || section === s)
				for (const [c, by] of counts)
					if (category === null || category === c)
						sum += by[AVAILABLE];
		});
		return sum;
	}

	price(at) {
		return this.event.prices[this.map.categories[this.category[at]].category];
	}

	where(at) {
		return `${this.map.sections[this.section[at]].section}, row ${this.rows[this.row[at]]}, ` +
			`seat ${this.numbers[at]}`;
	}

	// Called with the seats that changed; null: perhaps all.
	listen(listener) {
		this.listeners.add(listener);
	}

	tell(changed) {
		for (const listener of this.listeners)
			listener(changed);
	}
}
