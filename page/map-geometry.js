// Where things are: Web Mercator, a cut of the world where there is nothing, tracks as arrays.
"use strict";

const RADIANS = Math.PI / 180;
const SPHERE_M = 6371008.8;
const EQUATOR_M = 6378137;
const ECCENTRICITY_2 = 0.00669437999014;
const MAX_LATITUDE = 85.0511287798066;
const SPEED_CLASSES = 7;

// The world is 1 wide; y grows to the south.
const Mercator = {
	x: lon => (lon + 180) / 360,
	lon: x => x * 360 - 180,

	y(lat) {
		const sin = Math.sin(Math.min(MAX_LATITUDE, Math.max(-MAX_LATITUDE, lat)) * RADIANS);

		return 0.5 - Math.log((1 + sin) / (1 - sin)) / (4 * Math.PI);
	},

	lat: y => Math.atan(Math.sinh(Math.PI * (1 - 2 * y))) / RADIANS,

	// Metres round the ellipsoid along this parallel, which is what the map's width stands for there.
	metresAround(lat) {
		const sin = Math.sin(lat * RADIANS);

		return 2 * Math.PI * EQUATOR_M * Math.cos(lat * RADIANS) / Math.sqrt(1 - ECCENTRICITY_2 * sin * sin);
	}
};

// A longitude from -180 to 180.
function wrapped(lon) {
	return lon - 360 * Math.round(lon / 360);
}

function place(lat, lon) {
	const east = wrapped(lon);

	return `${Math.abs(lat).toFixed(5)}\u00b0\u00a0${lat < 0 ? "S" : "N"} ${Math.abs(east).toFixed(5)}\u00b0\u00a0${east < 0 ? "W" : "E"}`;
}

function metresBetween(lon1, lat1, lon2, lat2) {
	const sinLat = Math.sin((lat2 - lat1) * RADIANS / 2);
	const sinLon = Math.sin((lon2 - lon1) * RADIANS / 2);
	const part = sinLat * sinLat + Math.cos(lat1 * RADIANS) * Math.cos(lat2 * RADIANS) * sinLon * sinLon;

	return 2 * SPHERE_M * Math.asin(Math.min(1, Math.sqrt(part)));
}

// The meridian in the middle of the world as it is drawn: opposite to the widest gap between the longitudes, so
// that what lies on both sides of the antimeridian is drawn side by side.
function middleMeridian(longitudes) {
	const sorted = [...longitudes].map(wrapped).sort((a, b) => a - b);
	let widest = -1;
	let middle = 0;

	sorted.forEach((lon, i) => {
		const next = i + 1 < sorted.length ? sorted[i + 1] : sorted[0] + 360;

		if (next - lon > widest) {
			widest = next - lon;
			middle = (lon + next) / 2 - 180;
		}
	});
	return wrapped(middle);
}

// The same longitude, no more than 180 degrees from another one.
function nearTo(lon, other) {
	return lon - 360 * Math.round((lon - other) / 360);
}

// Sums up what the page has as differences of millionths of a degree.
function summed(differences) {
	let sum = 0;

	return Float64Array.from(differences, difference => {
		sum += difference;
		return sum / 1e6;
	});
}

// A row of longitudes without a jump; it begins near the meridian, or where its own middle is nearest to it.
function unwrap(lon, meridian) {
	for (let i = 0; i < lon.length; i++) {
		lon[i] = nearTo(lon[i], i === 0 ? meridian : lon[i - 1]);
	}
	return lon;
}

// Speed on a leg: what the tracker said at both ends, if it says something often enough; else distance over time.
function legSpeed(part, i) {
	const seconds = part.time[i] - part.time[i - 1];
	const before = part.kmh[i - 1];
	const after = part.kmh[i];

	if (seconds <= 60 && before !== null && after !== null) {
		return (before + after) / 2;
	}
	return 3.6 * metresBetween(part.lon[i - 1], part.lat[i - 1], part.lon[i], part.lat[i]) / seconds;
}

// A part of a track, as arrays of its places: degrees, the map's x and y, seconds since 1970; speeds are of the
// leg that ends at a place.
function decodePart(raw, meridian) {
	const part = { lon: unwrap(summed(raw.lon), meridian), lat: summed(raw.lat), kmh: raw.kmh };
	let time = raw.at;

	part.time = Float64Array.from(raw.s, seconds => time += seconds);
	part.x = part.lon.map(Mercator.x);
	part.y = part.lat.map(Mercator.y);
	part.speed = Float64Array.from(part.lon, (_, i) => i === 0 ? 0 : legSpeed(part, i));
	return part;
}

// The width of a class of speed: the smallest round one with which nearly all legs are below the last class.
function speedStep(tracks) {
	const speeds = tracks.flatMap(track => track.parts.flatMap(part => [...part.speed.subarray(1)])).sort((a, b) => a - b);
	const fast = speeds.length === 0 ? 0 : speeds[Math.floor((speeds.length - 1) * 0.98)];

	return [1, 2, 5, 10, 20, 50, 100].find(step => step * SPEED_CLASSES >= fast) ?? 200;
}

function classify(tracks, step) {
	for (const track of tracks) {
		for (const part of track.parts) {
			part.class = Uint8Array.from(part.speed, speed => Math.min(SPEED_CLASSES - 1, Math.floor(speed / step)));
		}
	}
}

// Where a tracker was at a time, along the straight line between two places of a part.  Between two parts it was not
// heard of: then it is at the last place, and known is false.
function locate(track, time) {
	const parts = track.parts;
	let low = 0;
	let high = parts.length - 1;

	while (low < high) {
		const middle = (low + high + 1) >> 1;

		[low, high] = parts[middle].time[0] <= time ? [middle, high] : [low, middle - 1];
	}
	return locateInPart(parts[low], time);
}

function locateInPart(part, time) {
	const last = part.time.length - 1;
	const clamped = Math.min(part.time[last], Math.max(part.time[0], time));
	let low = Math.min(1, last);
	let high = last;

	while (low < high) {
		const middle = (low + high) >> 1;

		[low, high] = part.time[middle] >= clamped ? [low, middle] : [middle + 1, high];
	}
	const from = Math.max(0, low - 1);
	const span = part.time[low] - part.time[from];
	const way = span > 0 ? (clamped - part.time[from]) / span : 0;
	const lon = part.lon[from] + (part.lon[low] - part.lon[from]) * way;
	const lat = part.lat[from] + (part.lat[low] - part.lat[from]) * way;
	const known = clamped === time;

	return { lon, lat, x: Mercator.x(lon), y: Mercator.y(lat), known, speed: known ? part.speed[low] : null,
		heading: Math.atan2(part.x[low] - part.x[from], part.y[from] - part.y[low]) / RADIANS };
}

// The smallest box round points: [west x, north y, east x, south y]; null round none.
function boxOf(rows) {
	const box = [Infinity, Infinity, -Infinity, -Infinity];

	for (const { x, y } of rows) {
		for (let i = 0; i < x.length; i++) {
			box[0] = Math.min(box[0], x[i]);
			box[1] = Math.min(box[1], y[i]);
			box[2] = Math.max(box[2], x[i]);
			box[3] = Math.max(box[3], y[i]);
		}
	}
	return box[0] <= box[2] ? box : null;
}

// Brings the data of the page into this form: trackers, marks (stops, alarms, photos, ...) and fences in one world.
function decode(data) {
	const meridian = middleMeridian(data.trackers.flatMap(tracker => tracker.parts.flatMap(part => [...summed(part.lon)])));
	const trackers = data.trackers.map((tracker, index) => ({ ...tracker, index, shown: true,
		parts: tracker.parts.map(part => decodePart(part, meridian)) }));
	// An alarm without a place of its own happened where the track was.
	const marks = data.marks.map(mark => {
		const at = mark.lon === null ? locate(trackers[mark.tracker], mark.at) : mark;
		const lon = nearTo(at.lon, meridian);

		return { ...mark, lon, lat: at.lat, x: Mercator.x(lon), y: Mercator.y(at.lat), photos: photosOf(mark, data.photos) };
	});
	const fences = data.fences.map(fence => ({ ...fence, rings: fence.rings.map(ring => decodeRing(ring, meridian)) }));

	fences.forEach(fence => { fence.box = boxOf(fence.rings); });
	return { trackers, marks, fences, step: speedStep(trackers) };
}

function decodeRing(ring, meridian) {
	const lon = unwrap(summed(ring.lon), meridian);
	const middle = (Math.min(...lon) + Math.max(...lon)) / 2;
	const shift = nearTo(middle, meridian) - middle;

	return { x: lon.map(value => Mercator.x(value + shift)), y: summed(ring.lat).map(Mercator.y) };
}
