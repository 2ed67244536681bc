// @ts-check
// From the bytes of an image file to an upright picture, as darkroom/images/decode.py opens it. The browser decodes; what it
// would do by rules of its own (turns, colour profiles, gamma, animation) is taken out of the file first.
import { Problem } from "../page/client.js";
import { eighths, reduceBlocks } from "./jpeg.js";
import { fromCanvas, upright } from "./pixels.js";

/**
 * A file without what a browser has rules of its own for, and the EXIF orientation that it had.
 * @typedef {{type: string, bytes: Uint8Array, orientation: number}} OpenFile
 */

const MAX_PIXELS = 178956970;
const MAX_SIDE = 1 << 20;

/**
 * This file can't be answered here, and won't be later.
 * @param {string} reason
 */
const refused = (reason) => new Problem(reason, 422);

/**
 * @param {Uint8Array} bytes
 * @param {number} start
 * @param {number} count
 */
const ascii = (bytes, start, count) => String.fromCharCode(...bytes.subarray(start, start + count));
/** @param {Uint8Array} bytes */
const view = (bytes) => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** @param {Uint8Array[]} parts */
function joined(parts) {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/**
 * The EXIF orientation, from a block of EXIF and one of XMP; 1 where neither has any.
 * @param {Uint8Array | null} exif
 * @param {Uint8Array | null} xmp
 */
function orientationOf(exif, xmp) {
  if (exif) {
    try {
      const start = ascii(exif, 0, 4) === "Exif" ? 6 : 0;
      const tiff = view(exif.subarray(start));
      const little = tiff.getUint16(0) === 0x4949;
      const folder = tiff.getUint32(4, little);
      for (let entry = 0; entry < tiff.getUint16(folder, little); entry++) {
        const at = folder + 2 + 12 * entry;
        if (tiff.getUint16(at, little) === 0x0112) {
          const value = tiff.getUint16(at + 8, little);
          return value >= 1 && value <= 8 ? value : 1;
        }
      }
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      return 1; // A damaged block is no fault of the picture.
    }
  }
  const found = xmp && /tiff:Orientation(?:="|>)([1-8])/.exec(ascii(xmp, 0, Math.min(xmp.length, 65536)));
  return found ? Number(found[1]) : 1;
}

/**
 * @param {number} width
 * @param {number} height
 */
function requireSize(width, height) {
  if (width * height > MAX_PIXELS) throw refused(`${width} x ${height} pixels, more than ${MAX_PIXELS.toLocaleString("en")}`);
  if (Math.max(width, height) > MAX_SIDE) throw refused(`${width} x ${height} pixels, more than ${MAX_SIDE.toLocaleString("en")} on one side`);
}

const cutShort = () => refused("damaged: the file is cut short");

/**
 * @param {Uint8Array} bytes
 * @returns {OpenFile}
 */
function openPng(bytes) {
  const data = view(bytes);
  if (bytes.length < 33) throw cutShort();
  requireSize(data.getUint32(16), data.getUint32(20));
  if (bytes[24] > 8) throw refused("a PNG of 16 bits a value, for which this page has no rule: convert it to 8 bits");
  const kept = [bytes.subarray(0, 8)];
  let exif = null;
  let xmp = null;
  for (let at = 8; ; ) {
    if (at + 12 > bytes.length) throw cutShort();
    const length = data.getUint32(at);
    const kind = ascii(bytes, at + 4, 4);
    const end = at + 12 + length;
    if (end > bytes.length) throw cutShort();
    if (kind === "eXIf") exif = bytes.subarray(at + 8, end - 4);
    if (kind === "iTXt" && ascii(bytes, at + 8, 17) === "XML:com.adobe.xmp") xmp = bytes.subarray(at + 8, end - 4);
    if (["IHDR", "PLTE", "tRNS", "IDAT", "IEND"].includes(kind)) kept.push(bytes.subarray(at, end));
    if (kind === "IEND") return { type: "image/png", bytes: joined(kept), orientation: orientationOf(exif, xmp) };
    at = end;
  }
}

/**
 * @param {Uint8Array} bytes
 * @returns {OpenFile}
 */
function openJpeg(bytes) {
  const data = view(bytes);
  const kept = [bytes.subarray(0, 2)];
  let exif = null;
  let xmp = null;
  for (let at = 2; ; ) {
    while (bytes[at] === 0xff && bytes[at + 1] === 0xff) at++;
    if (at + 4 > bytes.length) throw cutShort();
    const marker = bytes[at + 1];
    const end = at + 2 + data.getUint16(at + 2);
    if (bytes[at] !== 0xff) throw refused("damaged: its parts do not fit together");
    if (end > bytes.length) throw cutShort();
    const frame = marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker);
    if (frame) {
      if (bytes[at + 4] !== 8) throw refused(`a JPEG of ${bytes[at + 4]} bits a value: convert it to PNG of 8 bits`);
      requireSize(data.getUint16(at + 7), data.getUint16(at + 5));
      if (marker > 0xc2) throw refused("a JPEG of a kind that browsers do not read: convert it to PNG");
      if (![1, 3].includes(bytes[at + 9])) throw refused("a JPEG in CMYK, which browsers turn into other colours: convert it to RGB");
    }
    const segment = bytes.subarray(at + 4, end);
    if (marker === 0xe1 && ascii(segment, 0, 4) === "Exif") exif = segment;
    if (marker === 0xe1 && ascii(segment, 0, 4) === "http") xmp = segment;
    if (marker === 0xda) {
      const ends = bytes.some((byte, index) => index > end && byte === 0xd9 && bytes[index - 1] === 0xff);
      if (!ends) throw cutShort();
      kept.push(bytes.subarray(at));
      return { type: "image/jpeg", bytes: joined(kept), orientation: orientationOf(exif, xmp) };
    }
    // Of the application segments JFIF's and Adobe's say how colours are stored; the others are profiles, turns and previews.
    if (marker < 0xe0 || marker === 0xe0 || marker === 0xee || (marker > 0xef && marker < 0xfe)) kept.push(bytes.subarray(at, end));
    at = end;
  }
}

/**
 * @param {Uint8Array} bytes
 * @returns {OpenFile}
 */
function openWebp(bytes) {
  const data = view(bytes);
  const kept = [];
  let exif = null;
  let xmp = null;
  if (data.getUint32(4, true) + 8 > bytes.length) throw cutShort();
  for (let at = 12; at + 8 <= bytes.length; ) {
    const length = data.getUint32(at + 4, true);
    const end = at + 8 + length + (length % 2);
    const kind = ascii(bytes, at, 4);
    if (at + 8 + length > bytes.length) throw cutShort();
    if (kind === "EXIF") exif = bytes.subarray(at + 8, at + 8 + length);
    if (kind === "XMP ") xmp = bytes.subarray(at + 8, at + 8 + length);
    if (!["EXIF", "XMP ", "ICCP"].includes(kind)) kept.push(bytes.slice(at, end));
    if (kind === "VP8X") kept[kept.length - 1][8] &= ~(0x20 | 0x08 | 0x04); // no profile, no EXIF, no XMP any more
    at = end;
  }
  const whole = joined([bytes.slice(0, 12), ...kept]);
  view(whole).setUint32(4, whole.length - 8, true);
  return { type: "image/webp", bytes: whole, orientation: orientationOf(exif, xmp) };
}

/**
 * @param {Uint8Array} bytes
 * @returns {OpenFile}
 */
function openBmp(bytes) {
  const data = view(bytes);
  if (bytes.length < 54 || data.getUint32(2, true) > bytes.length) throw cutShort();
  requireSize(Math.abs(data.getInt32(18, true)), Math.abs(data.getInt32(22, true)));
  if (![8, 24].includes(data.getUint16(28, true)) || data.getUint32(30, true) !== 0) {
    throw refused("a BMP other than of 8 or 24 bits a pixel: convert it to PNG");
  }
  return { type: "image/bmp", bytes, orientation: 1 };
}

// By how a file begins: what opens it, or the name of what is refused.
/** @type {[RegExp, ((bytes: Uint8Array) => OpenFile) | string][]} */
const FORMATS = [
  [/^\x89PNG\r\n\x1a\n/, openPng],
  [/^\xff\xd8\xff/, openJpeg],
  [/^RIFF[^]{4}WEBP/, openWebp],
  [/^BM/, openBmp],
  [/^GIF8/, "a GIF"],
  [/^(II\*\0|MM\0\*|II\+\0)/, "a TIFF"],
  [/^[^]{4}ftyp/, "HEIC or AVIF"],
  [/^(\xff\x4f\xff\x51|[^]{4}jP {2})/, "JPEG 2000"],
  [/^P[1-6]\s/, "PPM"],
];

/**
 * @param {Uint8Array} bytes
 * @returns {OpenFile}
 */
export function openFile(bytes) {
  if (!bytes.length) throw refused("the file is empty");
  const head = ascii(bytes, 0, 16);
  const [, open] = FORMATS.find(([pattern]) => pattern.test(head)) ?? [];
  if (!open) throw refused("not an image in a known format");
  if (typeof open === "string") throw refused(`${open}: this page answers JPEG, PNG, WebP and BMP as evaluated, and nothing else; convert it to PNG`);
  try {
    return open(bytes);
  } catch (error) {
    if (error instanceof RangeError) throw cutShort();
    throw error;
  }
}

/**
 * An upright picture, transparency over white; a JPEG may come out reduced.
 * @param {Uint8Array} bytes of a file
 * @param {number} channels 1 (grey) or 3 (RGB)
 * @param {number} least pixels that the shorter side of a reduced picture keeps
 * @param {string} decoder of the model, for how it reduces
 */
export async function decode(bytes, channels, least, decoder) {
  const file = openFile(bytes);
  const picture = await canvasPixels(new Blob([file.bytes], { type: file.type }), channels);
  const left = file.type === "image/jpeg" ? eighths(picture.width, picture.height, least, decoder) : 8;
  return upright(reduceBlocks(picture, left), file.orientation);
}

/**
 * @param {Blob} file
 * @param {number} channels
 */
async function canvasPixels(file, channels) {
  const bitmap = await createImageBitmap(file, {
    imageOrientation: "none",
    colorSpaceConversion: "none",
    premultiplyAlpha: "none",
  }).catch(() => {
    throw refused("damaged: the browser can't decode it");
  });
  const { width, height } = bitmap;
  requireSize(width, height);
  // A strip at a time: a canvas of a large photograph would take four bytes for each of its pixels.
  const strip = Math.min(height, Math.max(1, Math.floor((1 << 22) / width)));
  const context = new OffscreenCanvas(width, strip).getContext("2d", { willReadFrequently: true, colorSpace: "srgb" });
  if (!context) throw refused(`${width} x ${height} pixels, more than this browser draws`);
  context.fillStyle = "#fff";
  const data = new Uint8Array(width * height * channels);
  for (let top = 0; top < height; top += strip) {
    const rows = Math.min(strip, height - top);
    context.fillRect(0, 0, width, strip);
    context.drawImage(bitmap, 0, -top);
    const part = fromCanvas(context.getImageData(0, 0, width, rows).data, width, rows, channels);
    data.set(part.data, top * width * channels);
  }
  bitmap.close();
  return { width, height, channels, data };
}
