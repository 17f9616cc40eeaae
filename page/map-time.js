// Time: the slider, playing, a marker of each tracker, the strip of what happened when.
"use strict";

const RATES = [1, 10, 60, 300, 900, 3600, 4 * 3600, 12 * 3600, 86400, 7 * 86400, 30 * 86400];
const SLIDER_STEPS = [1, 5, 10, 30, 60, 300, 600, 1800, 3600, 6 * 3600, 86400];
const STRIP_COLUMNS = 300;
const STRIP_HEIGHT = 20;

class Timeline {
	// parts: elements of the page by name; changed(): the time is another one.
	constructor(parts, clock, from, to, changed) {
		Object.assign(this, { parts, clock, from, to: Math.max(to, from + 1), changed, playing: false });
		this.time = from;
		this.setUpSlider();
		this.setUpRates();
		parts.play.addEventListener("click", () => this.toggle());
	}

	setUpSlider() {
		const slider = this.parts.slider;
		const step = SLIDER_STEPS.find(seconds => (this.to - this.from) / seconds <= 1000) ?? 86400;

		slider.step = step;
		slider.max = Math.ceil((this.to - this.from) / step) * step;
		slider.addEventListener("input", () => this.set(this.from + Number(slider.value)));
	}

	// How much time goes by in a second of playing; all of it takes about a minute unless one chooses.
	setUpRates() {
		const usual = RATES.find(rate => rate >= (this.to - this.from) / 60) ?? RATES.at(-1);

		for (const rate of RATES) {
			this.parts.rate.append(html("option", rate === usual ? { value: rate, selected: "" } : { value: rate }, rateText(rate)));
		}
	}

	set(time) {
		this.time = Math.min(this.to, Math.max(this.from, time));
		this.parts.slider.value = this.time - this.from;
		this.parts.slider.setAttribute("aria-valuetext", this.clock.full(this.time));
		this.parts.date.textContent = this.clock.date(this.time);
		this.parts.clock.textContent = this.clock.time(this.time);
		this.changed();
	}

	toggle() {
		this.playing = !this.playing;
		this.parts.play.setAttribute("aria-pressed", String(this.playing));
		this.parts.play.setAttribute("aria-label", this.playing ? "Pause" : "Play");
		if (this.playing) {
			if (this.time >= this.to) {
				this.set(this.from);
			}
			this.last = performance.now();
			requestAnimationFrame(now => this.step(now));
		}
	}

	// Who wants little motion gets a step a second.
	step(now) {
		if (!this.playing) {
			return;
		}
		if (!calmSystem.matches || now - this.last >= 1000) {
			this.set(this.time + Math.max(0, now - this.last) / 1000 * Number(this.parts.rate.value));
			this.last = now;
		}
		if (this.time >= this.to) {
			this.toggle();
		}
		requestAnimationFrame(later => this.step(later));
	}
}

function rateText(rate) {
	const [unit, name] = [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]].find(([seconds]) => rate >= seconds);

	return `${rate / unit} ${name}/s`;
}

// The marker of a tracker: its number in its colour, a point in the direction that it goes.
class Marker {
	constructor(tracker) {
		this.tracker = tracker;
		this.point = svg("path", { d: "M-6 -9L0 -18L6 -9Z", class: "point" });
		this.speed = svg("text", { class: "marker-speed", x: 16, y: 4 });
		this.group = svg("g", { class: `marker ${trackerClass(tracker.index)}` }, this.point, svg("circle", { r: 10.5 }),
			svg("text", { class: "marker-number", y: 4 }, String(tracker.index + 1)), this.speed);
	}

	draw(view, at) {
		this.group.toggleAttribute("hidden", !this.tracker.shown);
		this.group.classList.toggle("unknown", !at.known);
		this.group.setAttribute("transform", `translate(${view.screenX(at.x).toFixed(1)} ${view.screenY(at.y).toFixed(1)})`);
		this.point.toggleAttribute("hidden", !(at.speed >= 1));
		this.point.setAttribute("transform", `rotate(${at.heading.toFixed(0)})`);
		this.speed.textContent = at.known ? `${number(at.speed)} km/h` : "";
	}
}

// How fast the fastest one was, over time, in the colours of speed.
function drawStrip(strip, trackers, from, to) {
	const columns = new Float64Array(STRIP_COLUMNS).fill(-1);
	const paths = Array.from({ length: SPEED_CLASSES }, () => []);
	const column = time => Math.min(STRIP_COLUMNS - 1, Math.floor((time - from) / (to - from) * STRIP_COLUMNS));

	for (const tracker of trackers.filter(tracker => tracker.shown)) {
		for (const part of tracker.parts) {
			for (let i = 1; i < part.time.length; i++) {
				for (let c = column(part.time[i - 1]); c <= column(part.time[i]); c++) {
					columns[c] = Math.max(columns[c], part.class[i]);
				}
			}
		}
	}
	columns.forEach((speedClass, c) => {
		if (speedClass >= 0) {
			const height = 3 + (STRIP_HEIGHT - 3) * speedClass / (SPEED_CLASSES - 1);

			paths[speedClass].push(`M${c} ${STRIP_HEIGHT}V${(STRIP_HEIGHT - height).toFixed(1)}h1V${STRIP_HEIGHT}Z`);
		}
	});
	strip.replaceChildren(...paths.map((pieces, i) => svg("path", { class: `bar speed-${i}`, d: pieces.join("") })));
}
