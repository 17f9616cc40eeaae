// The panel: legend, lists of what can be gone to, notes on what is not on the map.
"use strict";

const LONGEST_LIST = 500;

function trackerName(tracker) {
	return tracker.name ?? tracker.ident;
}

// A check box with a sign and words behind it.
function layerSwitch(sign, words, changed) {
	const box = html("input", { type: "checkbox", checked: "" });

	box.addEventListener("change", () => changed(box.checked));
	return html("label", { class: "switch" }, box, sign, words);
}

function trackerSwatch(tracker, alone) {
	const swatch = svg("svg", { class: "swatch", viewBox: "0 0 34 22", "aria-hidden": "true" });

	swatch.append(svg("path", { class: alone ? "halo" : `below ${trackerClass(tracker.index)}`, d: "M1 11H33" }),
		svg("path", { class: "leg speed-2", d: "M1 11H33" }),
		svg("g", { class: `marker ${trackerClass(tracker.index)}`, transform: "translate(17 11)" }, svg("circle", { r: 9 }),
			svg("text", { class: "marker-number", y: 3.5 }, String(tracker.index + 1))));
	return swatch;
}

// One row for each tracker: shown or not, its name, where it is and how fast.  Returns the elements for the latter.
function fillTrackers(list, trackers, actions) {
	return trackers.map(tracker => {
		const state = { speed: html("p", { class: "speed" }), place: html("p", { class: "place" }) };
		const name = html("button", { type: "button", class: "link text", "aria-label": `Show ${trackerName(tracker)}` }, trackerName(tracker));
		const facts = [tracker.name === null ? null : tracker.ident, distance(tracker.metres)].filter(fact => fact !== null);

		name.addEventListener("click", () => actions.goToTracker(tracker));
		list.append(html("li", {},
			layerSwitch(trackerSwatch(tracker, trackers.length === 1), html("span", { class: "visually-hidden" }, `${trackerName(tracker)} on the map`),
				checked => actions.showTracker(tracker, checked)),
			html("div", { class: "about" }, name, html("p", { class: "muted text" }, facts.join(" \u00b7 ")), state.speed, state.place)));
		return state;
	});
}

function fillRamp(ramp, step) {
	for (let i = 0; i < SPEED_CLASSES; i++) {
		const last = i === SPEED_CLASSES - 1;

		ramp.append(html("div", { class: `speed-${i}` }, html("span", { class: "colour" }), `${i * step}${last ? "+" : ""}`));
	}
}

// What there is of each kind of sign, to switch on and off; and the lines that are no sign.
function fillLayers(list, world, actions) {
	for (const [kind, { title, sign, size }] of Object.entries(MARK_KINDS)) {
		const marks = world.marks.filter(mark => mark.kind === kind);
		const picture = svg("svg", { class: "swatch", viewBox: "-17 -11 34 22", "aria-hidden": "true" },
			svg("g", { class: `mark ${kind}` }, ...sign(size({ at: 0, until: 3600 }))));

		if (marks.length > 0) {
			list.append(html("li", {}, layerSwitch(picture, `${title} (${marks.length})`, checked => actions.showMarks(kind, checked))));
		}
	}
	if (world.fences.length > 0) {
		list.append(html("li", {}, layerSwitch(lineSwatch("fence", "M-15 -8H15V8H-15Z"), `Fences (${world.fences.length})`, actions.showFences)));
	}
	if (world.trackers.some(tracker => tracker.parts.length > 1)) {
		list.append(html("li", { class: "switch" }, lineSwatch("silent", "M-16 0H16"), "Not heard of in between"));
	}
	list.parentNode.hidden = list.children.length === 0;
}

function lineSwatch(name, path) {
	return svg("svg", { class: "swatch", viewBox: "-17 -11 34 22", "aria-hidden": "true" }, svg("path", { class: name, d: path }));
}

// A list that is closed at first and whose rows are buttons.
function foldedList(title, rows, fill) {
	const list = html("ul", { class: "plain" });

	rows.slice(0, LONGEST_LIST).forEach(row => list.append(html("li", {}, fill(row))));
	if (rows.length > LONGEST_LIST) {
		list.append(html("li", { class: "muted" }, `${LONGEST_LIST} of ${rows.length} are listed.`));
	}
	return html("details", {}, html("summary", {}, `${title} (${rows.length})`), list);
}

function rowButton(action, title, text) {
	const button = html("button", { type: "button", class: "row" }, html("span", { class: "text" }, title), html("span", { class: "muted text" }, text));

	button.addEventListener("click", action);
	return button;
}

function fillLists(lists, world, clock, actions) {
	for (const [kind, { title }] of Object.entries(MARK_KINDS)) {
		const marks = world.marks.filter(mark => mark.kind === kind).sort((a, b) => a.at - b.at);

		if (marks.length > 0) {
			lists.append(foldedList(title, marks, mark =>
				rowButton(() => actions.goToMark(mark), markTitle(mark), `${clock.full(mark.at)} \u00b7 ${trackerName(world.trackers[mark.tracker])}`)));
		}
	}
	if (world.fences.length > 0) {
		lists.append(foldedList("Fences", world.fences, fence => rowButton(() => actions.goToFence(fence), fence.name, "")));
	}
}

// What a mark is, in few words.
function markTitle(mark) {
	if (mark.kind === "stop") {
		return `Stop, ${duration(mark.until - mark.at)}${mark.ongoing ? " so far" : ""}`;
	}
	if (mark.kind === "photo") {
		return photoTitle(mark.photos);
	}
	return [mark.what.replaceAll("_", " "), mark.object].filter(word => word).join(": ");
}

// The lines of the card about a mark.
function markLines(mark, tracker, clock) {
	const lines = [trackerName(tracker), mark.until > mark.at ? clock.span(mark.at, mark.until) : clock.full(mark.at)];

	if (mark.peak_kmh !== undefined && mark.peak_kmh !== null) {
		lines.push(`at most ${number(mark.peak_kmh)} km/h, limit ${number(mark.limit_kmh)} km/h`);
	}
	lines.push(place(mark.lat, mark.lon));
	return lines;
}

// What is not on the map as it is in the database; never silently.
function fillNotes(leftOut, notes, data, clock) {
	const left = Object.entries(data.shown).filter(([, [shown, all]]) => shown < all);

	left.forEach(([what, [shown, all]]) => leftOut.append(html("p", {}, `${number(shown)} of ${number(all)} ${what} are shown.`)));
	if (data.tolerance_m > 0) {
		notes.append(html("p", {}, `Tracks are simplified: no place is more than ${distance(data.tolerance_m)} off.`));
	}
	notes.append(html("p", {}, `Times are ${clock.zone}. Coordinates are WGS 84, in Web Mercator; the scale holds in the middle of the map.`),
		html("p", {}, `Made ${clock.full(data.made_at)}.`));
}
