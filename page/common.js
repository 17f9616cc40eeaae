// What the pages share.  All text from the data goes through textContent or append(): it is never markup.
"use strict";

const SVG_NAMESPACE = "http://www.w3.org/2000/svg";

// What pt621_page_data() has written.
function pageData(id = "data") {
	return JSON.parse(document.getElementById(id).textContent);
}

function fill(node, attributes, children) {
	for (const [name, value] of Object.entries(attributes ?? {})) {
		node.setAttribute(name, value);
	}
	node.append(...children);
	return node;
}

// An element of HTML; children are nodes, or strings, which stay text.
function html(name, attributes, ...children) {
	return fill(document.createElement(name), attributes, children);
}

function svg(name, attributes, ...children) {
	return fill(document.createElementNS(SVG_NAMESPACE, name), attributes, children);
}

// ------------------------------------------------------------- numbers --

// A number with so many decimals and thin spaces between the thousands.
function number(value, decimals = 0) {
	const [whole, part] = Math.abs(value).toFixed(decimals).split(".");
	const grouped = whole.replace(/\B(?=(\d{3})+$)/g, "\u202f");
	const sign = value < 0 && Number(value.toFixed(decimals)) !== 0 ? "\u2212" : "";

	return sign + grouped + (part === undefined ? "" : "." + part);
}

function distance(metres) {
	return metres < 999.5 ? number(metres) + "\u00a0m" : number(metres / 1000, metres < 99950 ? 1 : 0) + "\u00a0km";
}

function duration(seconds) {
	const minutes = Math.round(seconds / 60);

	if (seconds < 59.5) {
		return number(seconds) + "\u00a0s";
	}
	if (minutes < 60) {
		return minutes + "\u00a0min";
	}
	return number(Math.floor(minutes / 60)) + "\u00a0h " + String(minutes % 60).padStart(2, "0") + "\u00a0min";
}

// --------------------------------------------------------------- times --

// Times in a zone, as 2026-02-13 and 14:05:09.  Seconds are since 1970.  PostgreSQL knows zones that a browser
// does not: then it is UTC, and zone says so.
class Clock {
	constructor(zone) {
		try {
			this.format = Clock.formatOf(zone);
			this.zone = zone;
		} catch {
			this.format = Clock.formatOf("UTC");
			this.zone = "UTC";
		}
	}

	static formatOf(zone) {
		return new Intl.DateTimeFormat("en-GB", {
			timeZone: zone, calendar: "gregory", numberingSystem: "latn", hourCycle: "h23", year: "numeric", month: "2-digit",
			day: "2-digit", hour: "2-digit", minute: "2-digit", second: "2-digit" });
	}

	parts(seconds) {
		return Object.fromEntries(this.format.formatToParts(Math.floor(seconds) * 1000).map(part => [part.type, part.value]));
	}

	date(seconds) {
		const part = this.parts(seconds);

		return `${part.year}-${part.month}-${part.day}`;
	}

	time(seconds) {
		const part = this.parts(seconds);

		return `${part.hour}:${part.minute}:${part.second}`;
	}

	full(seconds) {
		return `${this.date(seconds)} ${this.time(seconds)}`;
	}

	// From when to when, the date once where it is the same.
	span(from, to) {
		return this.full(from) + " \u2013 " + (this.date(from) === this.date(to) ? this.time(to) : this.full(to));
	}
}

// --------------------------------------------------------------- theme --

const darkSystem = matchMedia("(prefers-color-scheme: dark)");
const calmSystem = matchMedia("(prefers-reduced-motion: reduce)");

function isDark() {
	const chosen = document.documentElement.dataset.theme;

	return chosen ? chosen === "dark" : darkSystem.matches;
}

// A button that changes between light and dark; until it is pressed the page is as the system is.
function themeButton(button) {
	const show = () => button.setAttribute("aria-pressed", String(isDark()));

	button.addEventListener("click", () => {
		document.documentElement.dataset.theme = isDark() ? "light" : "dark";
		show();
	});
	darkSystem.addEventListener("change", show);
	show();
}
