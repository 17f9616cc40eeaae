// Tracks as paths of the screen: one for each class of speed, one below them in the tracker's colour.
"use strict";

const TRACKER_COLOURS = 6;
const MARGIN = 30;
const LEAST_STEP = 0.8;
const DRAWN_SQUARE = 2;
const LONGEST_LEG = 2000;
const ARROW_EVERY = 90;
const ARROW_LEAST = 8;

// Collects lines.  Legs that follow each other are joined.
class Path {
	constructor() {
		this.pieces = [];
		this.endX = NaN;
		this.endY = NaN;
	}

	line(x1, y1, x2, y2) {
		if (x1 !== this.endX || y1 !== this.endY) {
			this.pieces.push("M", x1.toFixed(1), " ", y1.toFixed(1));
		}
		this.pieces.push("L", x2.toFixed(1), " ", y2.toFixed(1));
		this.endX = x2;
		this.endY = y2;
	}

	toString() {
		return this.pieces.join("");
	}
}

// Arrows that tell which way it went, at most one in each square of the screen: where a road is driven every day, one
// is enough.
class Arrows {
	constructor() {
		this.squares = new Set();
		this.path = new Path();
	}

	// At the end of a piece of a track that is long enough to have a direction.
	add(fromX, fromY, x, y) {
		const length = Math.hypot(x - fromX, y - fromY);
		const square = `${Math.floor(x / ARROW_EVERY)} ${Math.floor(y / ARROW_EVERY)}`;

		if (!this.squares.has(square)) {
			const [alongX, alongY] = [4 * (x - fromX) / length, 4 * (y - fromY) / length];

			this.squares.add(square);
			this.path.line(x - 2 * alongX - alongY, y - 2 * alongY + alongX, x, y);
			this.path.line(x, y, x - 2 * alongX + alongY, y - 2 * alongY - alongX);
		}
	}
}

// Which squares of the screen a track has been drawn over, and how fast the fastest leg there was.  What was driven
// every day is drawn once, so that years are drawn as quickly as days.
class Drawn {
	constructor(view) {
		this.columns = Math.ceil(view.width / DRAWN_SQUARE);
		this.rows = Math.ceil(view.height / DRAWN_SQUARE);
		this.levels = new Uint8Array(this.columns * this.rows);
	}

	// Adds a leg of a class of speed; true when it can be seen: when it is not wholly over faster or equal ones.
	add(x1, y1, x2, y2, speedClass) {
		const steps = Math.ceil(Math.hypot(x2 - x1, y2 - y1) / DRAWN_SQUARE);
		let seen = steps > LONGEST_LEG;

		for (let i = 0; i <= steps && steps <= LONGEST_LEG; i++) {
			const column = Math.floor((x1 + (x2 - x1) * i / steps) / DRAWN_SQUARE);
			const row = Math.floor((y1 + (y2 - y1) * i / steps) / DRAWN_SQUARE);
			const square = row * this.columns + column;

			if (column >= 0 && column < this.columns && row >= 0 && row < this.rows && this.levels[square] <= speedClass) {
				this.levels[square] = speedClass + 1;
				seen = true;
			}
		}
		return seen;
	}
}

// The elements of a tracker's track, in the order in which they are drawn: fast over slow.
class TrackLines {
	constructor(tracker, alone) {
		this.tracker = tracker;
		this.silent = svg("path", { class: "silent" });
		this.below = svg("path", { class: alone ? "halo" : `below ${trackerClass(tracker.index)}` });
		this.speeds = Array.from({ length: SPEED_CLASSES }, (_, i) => svg("path", { class: `leg speed-${i}` }));
		this.group = svg("g", { class: "track" }, this.silent, this.below, ...this.speeds);
		this.boxes = tracker.parts.map(part => boxOf([part]));
	}

	draw(view, arrows) {
		this.group.toggleAttribute("hidden", !this.tracker.shown);
		if (!this.tracker.shown) {
			return;
		}
		this.paths = { silent: new Path(), below: new Path(), speeds: this.speeds.map(() => new Path()) };
		this.arrows = arrows;
		this.drawn = new Drawn(view);
		this.tracker.parts.forEach((part, i) => {
			if (view.sees(this.boxes[i], MARGIN)) {
				this.drawPart(view, part);
			}
			if (i > 0) {
				this.drawSilence(view, this.tracker.parts[i - 1], part);
			}
		});
		this.silent.setAttribute("d", this.paths.silent);
		this.below.setAttribute("d", this.paths.below);
		this.speeds.forEach((path, i) => path.setAttribute("d", this.paths.speeds[i]));
	}

	// Places less than a pixel apart are one.  Legs beside the screen are left out.
	drawPart(view, part) {
		const right = view.width + MARGIN;
		const low = view.height + MARGIN;
		const last = part.x.length - 1;
		let x1 = view.screenX(part.x[0]);
		let y1 = view.screenY(part.y[0]);
		let arrowX = x1;
		let arrowY = y1;

		for (let i = 1; i <= last; i++) {
			const x2 = view.screenX(part.x[i]);
			const y2 = view.screenY(part.y[i]);

			if (Math.abs(x2 - x1) + Math.abs(y2 - y1) < LEAST_STEP && i < last) {
				continue;
			}
			if (Math.max(x1, x2) > -MARGIN && Math.min(x1, x2) < right && Math.max(y1, y2) > -MARGIN && Math.min(y1, y2) < low
				&& this.drawn.add(x1, y1, x2, y2, part.class[i])) {
				this.paths.below.line(x1, y1, x2, y2);
				this.paths.speeds[part.class[i]].line(x1, y1, x2, y2);
				if (Math.hypot(x2 - arrowX, y2 - arrowY) >= ARROW_LEAST) {
					this.arrows.add(arrowX, arrowY, x2, y2);
					[arrowX, arrowY] = [x2, y2];
				}
			} else {
				[arrowX, arrowY] = [x2, y2];
			}
			x1 = x2;
			y1 = y2;
		}
	}

	// Nobody knows where it was between two parts.
	drawSilence(view, before, after) {
		const end = before.x.length - 1;
		const box = boxOf([{ x: [before.x[end], after.x[0]], y: [before.y[end], after.y[0]] }]);

		if (view.sees(box, MARGIN)) {
			this.paths.silent.line(view.screenX(before.x[end]), view.screenY(before.y[end]), view.screenX(after.x[0]), view.screenY(after.y[0]));
		}
	}
}

// Colour and kind of line, in turn.
function trackerClass(index) {
	return `tracker-${index % TRACKER_COLOURS} dash-${Math.floor(index / TRACKER_COLOURS) % 3}`;
}

// The leg of a track nearest to a point of the screen, no farther than so many pixels: who, and when.
function nearestLeg(view, trackers, x, y, within) {
	let best = null;

	for (const tracker of trackers.filter(tracker => tracker.shown)) {
		for (const part of tracker.parts) {
			for (let i = 1; i < part.x.length; i++) {
				const hit = distanceToLeg(x - view.screenX(part.x[i - 1]), y - view.screenY(part.y[i - 1]),
					(part.x[i] - part.x[i - 1]) * view.scale, (part.y[i] - part.y[i - 1]) * view.scale);

				if (hit.distance < (best?.distance ?? within)) {
					best = { distance: hit.distance, tracker, time: part.time[i - 1] + (part.time[i] - part.time[i - 1]) * hit.way };
				}
			}
		}
	}
	return best;
}

// From a point to a line that begins in 0, 0; and how far along the line the nearest point of it is, 0 to 1.
function distanceToLeg(x, y, toX, toY) {
	const square = toX * toX + toY * toY;
	const way = square > 0 ? Math.min(1, Math.max(0, (x * toX + y * toY) / square)) : 0;

	return { distance: Math.hypot(x - way * toX, y - way * toY), way };
}
