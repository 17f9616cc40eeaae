// What part of the world is to be seen, and how wheel, fingers and keys change it.
"use strict";

const SMALLEST_WORLD = 200;
const LARGEST_WORLD = 256 * 2 ** 22;
const CLICK_PIXELS = 6;

// centre in the map's x and y; scale: pixels that the world is wide.
class View {
	constructor(changed) {
		Object.assign(this, { x: 0.5, y: 0.5, scale: SMALLEST_WORLD, width: 1, height: 1, changed });
	}

	screenX(x) {
		return (x - this.x) * this.scale + this.width / 2;
	}

	screenY(y) {
		return (y - this.y) * this.scale + this.height / 2;
	}

	worldX(screenX) {
		return this.x + (screenX - this.width / 2) / this.scale;
	}

	worldY(screenY) {
		return this.y + (screenY - this.height / 2) / this.scale;
	}

	// The part of the world that is to be seen, with a margin of pixels.
	box(margin) {
		return [this.worldX(-margin), this.worldY(-margin), this.worldX(this.width + margin), this.worldY(this.height + margin)];
	}

	sees(box, margin) {
		const seen = this.box(margin);

		return box[0] <= seen[2] && box[2] >= seen[0] && box[1] <= seen[3] && box[3] >= seen[1];
	}

	resize(width, height) {
		Object.assign(this, { width, height });
		this.changed();
	}

	move(right, down) {
		this.x -= right / this.scale;
		this.y = Math.min(1, Math.max(0, this.y - down / this.scale));
		this.changed();
	}

	// The place under a point of the screen stays there.
	zoom(factor, screenX = this.width / 2, screenY = this.height / 2) {
		const x = this.worldX(screenX);
		const y = this.worldY(screenY);

		this.scale = Math.min(LARGEST_WORLD, Math.max(SMALLEST_WORLD, this.scale * factor));
		this.x = x - (screenX - this.width / 2) / this.scale;
		this.y = y - (screenY - this.height / 2) / this.scale;
		this.changed();
	}

	// At least 1/40,000 of a degree and more stays to be seen, where there is but one place.
	fit(box, margin) {
		const wide = Math.max(1, this.width - 2 * margin) / Math.max(box[2] - box[0], 5e-6);
		const high = Math.max(1, this.height - 2 * margin) / Math.max(box[3] - box[1], 5e-6);

		this.scale = Math.min(LARGEST_WORLD, Math.max(SMALLEST_WORLD, Math.min(wide, high)));
		this.x = (box[0] + box[2]) / 2;
		this.y = (box[1] + box[3]) / 2;
		this.changed();
	}

	// Into the middle, and so near that one sees where it is.
	show(x, y) {
		Object.assign(this, { x, y, scale: Math.max(this.scale, 256 * 2 ** 15) });
		this.changed();
	}
}

// Mouse, fingers and wheel on the chart.  One finger or the mouse moves it, two also zoom; what does not move is a
// click, which goes to clicked(x, y).
function listenToPointers(chart, view, clicked) {
	const fingers = new Map();
	let travelled = 0;
	const at = event => {
		const box = chart.getBoundingClientRect();

		return { x: event.clientX - box.x, y: event.clientY - box.y };
	};

	chart.addEventListener("pointerdown", event => {
		if (event.button === 0) {
			travelled = fingers.size === 0 ? 0 : Infinity;
			fingers.set(event.pointerId, at(event));
			chart.setPointerCapture(event.pointerId);
		}
	});
	chart.addEventListener("pointermove", event => {
		const before = fingers.get(event.pointerId);
		const now = at(event);

		if (before) {
			travelled += Math.hypot(now.x - before.x, now.y - before.y);
			moveFinger(view, [...fingers.values()], before, now);
			fingers.set(event.pointerId, now);
		}
	});
	chart.addEventListener("pointerup", event => {
		if (fingers.delete(event.pointerId) && travelled < CLICK_PIXELS) {
			clicked(at(event).x, at(event).y);
		}
	});
	chart.addEventListener("pointercancel", event => fingers.delete(event.pointerId));
	chart.addEventListener("wheel", event => {
		// A pinch on a touch pad comes as a wheel with Ctrl, in smaller steps.
		const speed = (event.deltaMode === 1 ? 30 : 1) * (event.ctrlKey ? 0.01 : 0.0016);

		event.preventDefault();
		view.zoom(Math.exp(-event.deltaY * speed), at(event).x, at(event).y);
	}, { passive: false });
}

// With another finger on the screen the map follows both: it moves by half, and zooms about their middle.
function moveFinger(view, fingers, before, now) {
	const other = fingers.find(finger => finger !== before);

	if (!other) {
		view.move(now.x - before.x, now.y - before.y);
		return;
	}
	const span = Math.hypot(before.x - other.x, before.y - other.y);

	view.move((now.x - before.x) / 2, (now.y - before.y) / 2);
	if (span > 0) {
		view.zoom(Math.hypot(now.x - other.x, now.y - other.y) / span, (now.x + other.x) / 2, (now.y + other.y) / 2);
	}
}

// Keys while the chart has the focus.
function listenToKeys(chart, view, actions) {
	const step = 80;
	const keys = {
		ArrowLeft: () => view.move(step, 0),
		ArrowRight: () => view.move(-step, 0),
		ArrowUp: () => view.move(0, step),
		ArrowDown: () => view.move(0, -step),
		"+": () => view.zoom(1.5),
		"=": () => view.zoom(1.5),
		"-": () => view.zoom(1 / 1.5),
		"0": actions.all,
		" ": actions.play,
		Escape: actions.close
	};

	chart.addEventListener("keydown", event => {
		if (keys[event.key] && !event.ctrlKey && !event.metaKey && !event.altKey) {
			event.preventDefault();
			keys[event.key]();
		}
	});
}
