// Photos: what is told of each, and its picture, as far as it has come.
"use strict";

// Those that a mark announces: there may be several of the same second, and none that one may see.
function photosOf(mark, photos) {
	return mark.kind === "photo" ? photos.filter(photo => photo.tracker === mark.tracker && photo.at === mark.at) : [];
}

let pictures = null;

// Only ever an image, and of this type: what the bytes are is the tracker's affair.
function pictureAddress(photo) {
	pictures ??= pageData("pictures");
	return `data:image/jpeg;base64,${pictures[photo.picture]}`;
}

function cameraName(photo) {
	return photo.camera === null ? null : `camera ${photo.camera}`;
}

function photoTitle(photos) {
	if (photos.length > 1) {
		return `${photos.length} photos`;
	}
	return ["Photo", ...photos.map(cameraName)].filter(word => word !== null).join(", ");
}

// What has become of a photo, as lines.
function photoLines(photo) {
	const bytes = `${number(photo.size)} bytes`;
	const lines = [{
		announced: `Announced, ${bytes}`,
		fetching: `Being fetched, ${bytes}`,
		complete: `Complete, ${bytes}`,
		failed: `Failed, ${bytes}`
	}[photo.state]];

	if (photo.reason !== null) {
		lines.push(photo.reason);
	}
	if (photo.received < photo.size) {
		lines.push(photo.received === 0 ? "Nothing has come of it."
			: `The last ${number(photo.size - photo.received)} bytes are missing, and with them the lower part of the picture.`);
	}
	if (photo.no_room) {
		lines.push("The page had no room for the picture.");
	}
	return lines;
}

function photoImage(photo, tracker, clock) {
	const words = ["Photo", cameraName(photo), trackerName(tracker), clock.full(photo.at), photo.received < photo.size ? "incomplete" : null];
	const image = html("img", { alt: words.filter(word => word !== null).join(", "), decoding: "async" });

	image.addEventListener("error", () => image.replaceWith(html("p", {}, "The browser cannot show this picture.")));
	image.src = pictureAddress(photo);
	return image;
}

// A photo in the card.
function photoFigure(photo, tracker, clock) {
	const camera = cameraName(photo);
	const lines = camera === null ? photoLines(photo) : [`Camera ${photo.camera}`, ...photoLines(photo)];

	return html("figure", {}, ...(photo.picture === null ? [] : [photoImage(photo, tracker, clock)]),
		html("figcaption", {}, ...lines.map(line => html("p", { class: "text" }, line))));
}
