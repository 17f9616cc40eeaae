// Puts the map together.
"use strict";

function byId(id) {
	return document.getElementById(id);
}

class MapPage {
	constructor(data) {
		this.data = data;
		this.clock = new Clock(data.zone);
		this.world = decode(data);
		classify(this.world.trackers, this.world.step);
		this.view = new View(() => this.redraw());
		this.setUpChart();
		this.setUpTime();
		this.setUpPanel();
		this.setUpControls();
		new ResizeObserver(() => this.resize()).observe(byId("stage"));
	}

	setUpChart() {
		const trackers = this.world.trackers;

		this.lines = trackers.map(tracker => new TrackLines(tracker, trackers.length === 1));
		this.markers = trackers.map(tracker => new Marker(tracker));
		this.fences = this.world.fences.map(fence => new FenceShape(fence));
		this.marks = new Marks(byId("marks"), this.world.marks);
		byId("fences").append(...this.fences.map(fence => fence.group));
		byId("tracks").append(...this.lines.map(lines => lines.group));
		byId("markers").append(...this.markers.map(marker => marker.group));
		byId("empty").hidden = trackers.length > 0;
	}

	setUpTime() {
		const ends = this.world.trackers.flatMap(tracker => [tracker.parts[0].time[0], tracker.parts.at(-1).time.at(-1)]);
		const from = ends.length > 0 ? Math.min(...ends) : 0;
		const to = ends.length > 0 ? Math.max(...ends) : 0;

		byId("timebar").hidden = ends.length === 0;
		byId("span").textContent = ends.length > 0 ? this.clock.span(from, to) : "";
		this.timeline = new Timeline({ slider: byId("time"), play: byId("play"), rate: byId("rate"), date: byId("now-date"),
			clock: byId("now-time") }, this.clock, from, to, () => this.redrawMarkers());
	}

	setUpPanel() {
		const actions = {
			goToTracker: tracker => this.goTo(() => this.fit([tracker])),
			showTracker: (tracker, shown) => this.show(() => { tracker.shown = shown; }),
			showMarks: (kind, shown) => this.show(() => { this.marks.shown[kind] = shown; }),
			showFences: shown => byId("fences").toggleAttribute("hidden", !shown),
			goToMark: mark => this.goTo(() => {
				this.view.show(mark.x, mark.y);
				this.openMark(mark);
			}),
			goToFence: fence => this.goTo(() => this.view.fit(fence.box, 60))
		};

		document.title = this.data.title;
		byId("title").textContent = this.data.title;
		this.states = fillTrackers(byId("trackers"), this.world.trackers, actions);
		fillRamp(byId("ramp"), this.world.step);
		fillLayers(byId("layers"), this.world, actions);
		fillLists(byId("lists"), this.world, this.clock, actions);
		fillNotes(byId("left-out"), byId("notes"), this.data, this.clock);
	}

	setUpControls() {
		const chart = byId("chart");
		const all = () => this.fit(this.world.trackers);

		byId("zoom-in").addEventListener("click", () => this.view.zoom(1.5));
		byId("zoom-out").addEventListener("click", () => this.view.zoom(1 / 1.5));
		byId("zoom-all").addEventListener("click", all);
		byId("card-close").addEventListener("click", () => this.closeCard());
		byId("open-panel").addEventListener("click", () => this.setPanel(!document.body.classList.contains("panel-open")));
		themeButton(byId("theme"));
		listenToPointers(chart, this.view, (x, y) => this.clicked(x, y));
		listenToKeys(chart, this.view, { all, play: () => this.timeline.toggle(), close: () => this.closeCard() });
		chart.addEventListener("pointermove", event => {
			const box = chart.getBoundingClientRect();

			this.pointer = { x: event.clientX - box.x, y: event.clientY - box.y };
			this.redrawPointer();
		});
	}

	// ------------------------------------------------------------ drawing --

	resize() {
		const first = this.view.width === 1;

		this.view.resize(byId("stage").clientWidth, byId("stage").clientHeight);
		if (first) {
			this.fit(this.world.trackers);
			this.timeline.set(this.timeline.from);
		}
	}

	// However often the view changes, it is drawn once a frame.
	redraw() {
		this.waiting ??= requestAnimationFrame(() => {
			this.waiting = null;
			this.draw();
		});
	}

	draw() {
		const arrows = new Arrows();

		drawGrid(this.view, byId("grid"), byId("grid-labels"));
		drawScale(this.view, byId("scale-bar"), byId("scale-text"), byId("scale-words"));
		this.fences.forEach(fence => fence.draw(this.view));
		this.lines.forEach(lines => lines.draw(this.view, arrows));
		byId("arrows").setAttribute("d", arrows.path);
		this.marks.draw(this.view, this.world.trackers);
		this.redrawMarkers();
		this.redrawPointer();
	}

	// What is under the mouse.
	redrawPointer() {
		if (this.pointer) {
			byId("pointer").textContent = place(Mercator.lat(this.view.worldY(this.pointer.y)), Mercator.lon(this.view.worldX(this.pointer.x)));
		}
	}

	redrawMarkers() {
		this.world.trackers.forEach((tracker, i) => {
			const at = locate(tracker, this.timeline.time);

			this.markers[i].draw(this.view, at);
			this.states[i].speed.textContent = at.known ? `${number(at.speed)} km/h` : "not heard of";
			this.states[i].place.textContent = place(at.lat, at.lon);
		});
	}

	show(change) {
		change();
		this.redraw();
		this.redrawStrip();
	}

	redrawStrip() {
		drawStrip(byId("activity"), this.world.trackers, this.timeline.from, this.timeline.to);
	}

	// ------------------------------------------------------------ actions --

	fit(trackers) {
		const box = boxOf(trackers.flatMap(tracker => tracker.parts));

		this.view.fit(box ?? [0, 0, 1, 1], Math.min(60, this.view.width / 8));
	}

	clicked(x, y) {
		const mark = this.marks.at(x, y);
		const leg = mark ? null : nearestLeg(this.view, this.world.trackers, x, y, CLICK_RADIUS);

		if (mark) {
			this.openMark(mark);
		} else if (leg) {
			const at = locate(leg.tracker, leg.time);

			this.timeline.set(leg.time);
			this.openCard(trackerName(leg.tracker), [this.clock.full(leg.time), `${number(at.speed)} km/h`, place(at.lat, at.lon)]);
		} else {
			this.closeCard();
		}
	}

	// From a row of the panel to the map, which on a phone is behind the panel.
	goTo(move) {
		this.setPanel(false);
		move();
	}

	openMark(mark) {
		const tracker = this.world.trackers[mark.tracker];

		this.timeline.set(mark.at);
		this.openCard(markTitle(mark), markLines(mark, tracker, this.clock), mark.photos.map(photo => photoFigure(photo, tracker, this.clock)));
	}

	openCard(title, lines, figures = []) {
		byId("card-text").replaceChildren(html("h2", { class: "text" }, title), ...lines.map(line => html("p", { class: "text" }, line)), ...figures);
		byId("card").hidden = false;
	}

	closeCard() {
		byId("card").hidden = true;
	}

	setPanel(open) {
		document.body.classList.toggle("panel-open", open);
		byId("open-panel").setAttribute("aria-expanded", String(open));
		byId("open-panel").textContent = open ? "Map" : "Legend";
	}
}

new MapPage(pageData()).redrawStrip();
