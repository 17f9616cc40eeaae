// What lies under and on the tracks: the grid of degrees, the scale bar, fences, signs of stops, alarms and what else happened.
"use strict";

const GRID_STEPS = [45, 30, 20, 10, 5, 2, 1, 0.5, 0.2, 0.1, 0.05, 0.02, 0.01, 0.005, 0.002, 0.001, 0.0005, 0.0002, 0.0001, 0.00005, 0.00002, 0.00001];
const GRID_PIXELS = 110;
const SIGN_PIXELS = 11;
const CLICK_RADIUS = 18;

// A kind of mark: what the legend calls it, its sign, and its size.
const MARK_KINDS = {
	stop: {
		title: "Stops",
		sign: size => [svg("circle", { r: size }), svg("circle", { r: size / 3, class: "dot" })],
		size: mark => Math.min(11, 4 + Math.sqrt((mark.until - mark.at) / 600)),
		rank: mark => mark.until - mark.at
	},
	alarm: {
		title: "Alarms",
		sign: size => [svg("path", { d: `M0 ${-size}L${size} 0L0 ${size}L${-size} 0Z` }), svg("path", { d: "M0 -3.5V1M0 3.4V3.5", class: "dot" })],
		size: () => 8.5,
		rank: mark => mark.at
	},
	overspeed: {
		title: "Overspeeds",
		sign: size => [svg("path", { d: `M0 ${-size}L${size} ${0.8 * size}H${-size}Z` }), svg("path", { d: "M0 -2.5V2M0 4.4V4.5", class: "dot" })],
		size: () => 8.5,
		rank: mark => mark.at
	},
	// What others write to pt621.event.
	other: {
		title: "Other events",
		sign: size => [svg("path", { d: `M${-size} ${-size}H${size}V${size}H${-size}Z` }), svg("path", { d: "M0 -3.5V1M0 3.4V3.5", class: "dot" })],
		size: () => 7,
		rank: mark => mark.at
	},
	// Where a tracker announced one.
	photo: {
		title: "Photos",
		sign: size => [svg("path", { d: `M${-size} ${-size / 2}H${-size / 2}L${-size / 4} ${-size}H${size / 4}L${size / 2} ${-size / 2}H${size}V${size}H${-size}Z` }),
			svg("circle", { cy: size / 4, r: size / 2.6, class: "dot" })],
		size: () => 8,
		rank: mark => mark.at
	}
};

// -------------------------------------------------------------- grid ---

function degrees(value, step, positive, negative) {
	const decimals = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
	const letter = value === 0 ? "" : value < 0 ? negative : positive;

	return `${Math.abs(value).toFixed(decimals)}\u00b0${letter && "\u00a0" + letter}`;
}

// Whole multiples of the step from low to high.
function multiples(low, high, step) {
	const rows = [];

	for (let n = Math.ceil(low / step); n * step <= high && rows.length < 100; n++) {
		rows.push(Number((n * step).toFixed(6)));
	}
	return rows;
}

// Meridians and parallels at round degrees, as near to each other as their labels allow.
function drawGrid(view, lines, labels) {
	const wide = 360 * GRID_PIXELS / view.scale;
	const step = [...GRID_STEPS].reverse().find(degree => degree >= wide) ?? GRID_STEPS[0];
	const path = new Path();
	const words = [];

	for (const lon of multiples(Mercator.lon(view.worldX(0)), Mercator.lon(view.worldX(view.width)), step)) {
		const x = view.screenX(Mercator.x(lon));

		path.line(x, 0, x, view.height);
		if (x < view.width - 90) {
			words.push(svg("text", { x: x + 5, y: 14 }, degrees(wrapped(lon), step, "E", "W")));
		}
	}
	for (const lat of multiples(Mercator.lat(view.worldY(view.height)), Mercator.lat(view.worldY(0)), step)) {
		const y = view.screenY(Mercator.y(lat));

		path.line(0, y, view.width, y);
		if (y > 34 && y < view.height - 50) {
			words.push(svg("text", { x: 6, y: y - 4 }, degrees(lat, step, "N", "S")));
		}
	}
	lines.replaceChildren(svg("path", { d: path }));
	labels.replaceChildren(...words);
}

// A bar of a round length, true for the latitude in the middle.
function drawScale(view, bar, text, words) {
	const metresPerPixel = Mercator.metresAround(Mercator.lat(view.y)) / view.scale;
	const most = 120 * metresPerPixel;
	const ten = 10 ** Math.floor(Math.log10(most));
	const metres = [5, 2, 1].find(n => n * ten <= most) * ten;
	const label = metres >= 1000 ? `${number(metres / 1000)} km` : metres >= 1 ? `${number(metres)} m` : `${number(metres * 100)} cm`;

	bar.style.width = `${metres / metresPerPixel}px`;
	text.textContent = label;
	words.textContent = `The map is ${distance(metresPerPixel * view.width)} wide.`;
}

// ------------------------------------------------------------ fences ---

class FenceShape {
	constructor(fence) {
		this.fence = fence;
		this.shape = svg("path", { class: "fence" });
		this.label = svg("text", { class: "fence-name" }, fence.name);
		this.group = svg("g", {}, this.shape, this.label);
	}

	draw(view) {
		const box = this.fence.box;
		const seen = view.sees(box, 10);

		this.group.toggleAttribute("hidden", !seen);
		if (seen) {
			this.shape.setAttribute("d", this.fence.rings.map(ring => ringPath(view, ring)).join(""));
			this.label.toggleAttribute("hidden", (box[2] - box[0]) * view.scale < 50);
			this.label.setAttribute("x", view.screenX((box[0] + box[2]) / 2));
			this.label.setAttribute("y", view.screenY(box[1]) - 6);
		}
	}
}

// A ring that is cut to the surroundings of the screen by moving what is far outside: browsers draw lines of millions
// of pixels badly.
function ringPath(view, ring) {
	const pieces = [];
	const cut = value => Math.min(50000, Math.max(-50000, value)).toFixed(1);

	for (let i = 0; i < ring.x.length; i++) {
		pieces.push(i === 0 ? "M" : "L", cut(view.screenX(ring.x[i])), " ", cut(view.screenY(ring.y[i])));
	}
	return pieces.join("") + "Z";
}

// ------------------------------------------------------------- marks ---

// The signs that are to be seen, the most important first; one that would cover another is left out until one zooms in.
class Marks {
	constructor(group, marks) {
		this.group = group;
		this.shown = Object.fromEntries(Object.keys(MARK_KINDS).map(kind => [kind, true]));
		this.placed = [];
		this.marks = Object.keys(MARK_KINDS).reverse().flatMap(kind =>
			marks.filter(mark => mark.kind === kind).sort((a, b) => MARK_KINDS[kind].rank(b) - MARK_KINDS[kind].rank(a)));
	}

	draw(view, trackers) {
		const taken = new Set();

		this.placed = [];
		for (const mark of this.marks) {
			const x = view.screenX(mark.x);
			const y = view.screenY(mark.y);
			const cell = `${Math.round(x / SIGN_PIXELS)} ${Math.round(y / SIGN_PIXELS)}`;

			if (this.shown[mark.kind] && trackers[mark.tracker].shown && !taken.has(cell)
				&& x > -20 && y > -20 && x < view.width + 20 && y < view.height + 20) {
				taken.add(cell);
				this.placed.push({ mark, x, y });
			}
		}
		// Alarms, which were placed first, are drawn over the rest.
		this.group.replaceChildren(...this.placed.map(placed => this.sign(placed)).reverse());
	}

	sign({ mark, x, y }) {
		const kind = MARK_KINDS[mark.kind];
		const pictured = mark.photos.some(photo => photo.picture !== null) ? " pictured" : "";

		return svg("g", { class: `mark ${mark.kind}${pictured}`, transform: `translate(${x.toFixed(1)} ${y.toFixed(1)})` }, ...kind.sign(kind.size(mark)));
	}

	// The one that is meant by a click.
	at(x, y) {
		const near = this.placed.map(placed => ({ mark: placed.mark, distance: Math.hypot(placed.x - x, placed.y - y) }))
			.filter(placed => placed.distance <= CLICK_RADIUS).sort((a, b) => a.distance - b.distance);

		return near[0]?.mark ?? null;
	}
}
