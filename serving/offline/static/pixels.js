// @ts-check
// From a decoded picture to the array that the graph takes: the rules of darkroom/images/pixels.py, number by number.

/**
 * A picture: data is row by row, with its channels (1 is grey, 3 is RGB) interleaved.
 * @typedef {{width: number, height: number, channels: number, data: Uint8Array}} Picture
 */

/**
 * The nearest whole number; of two the even one, as OpenCV rounds.
 * @param {number} value
 */
function roundHalfEven(value) {
  const whole = Math.floor(value);
  const rest = value - whole;
  return rest > 0.5 || (rest === 0.5 && whole % 2 === 1) ? whole + 1 : whole;
}

/**
 * RGBA of a canvas, opaque, to grey (ITU-R 601 luma, in Pillow's 16 bits) or RGB.
 * @param {Uint8ClampedArray} rgba
 * @param {number} width
 * @param {number} height
 * @param {number} channels
 * @returns {Picture}
 */
export function fromCanvas(rgba, width, height, channels) {
  const data = new Uint8Array(width * height * channels);
  for (let from = 0, to = 0; from < rgba.length; from += 4) {
    if (channels === 1) {
      data[to++] = (19595 * rgba[from] + 38470 * rgba[from + 1] + 7471 * rgba[from + 2] + 32768) >> 16;
    } else {
      data[to++] = rgba[from];
      data[to++] = rgba[from + 1];
      data[to++] = rgba[from + 2];
    }
  }
  return { width, height, channels, data };
}

/**
 * Turned as the EXIF orientation says (1 to 8; TIFF 6.0, page 36).
 * @param {Picture} picture
 * @param {number} orientation
 * @returns {Picture}
 */
export function upright(picture, orientation) {
  if (orientation === 1) return picture;
  const { width, height, channels, data } = picture;
  const swapped = orientation > 4;
  const mirrored = [2, 3, 6, 7].includes(orientation); // columns of the file count from the other side
  const flipped = [3, 4, 7, 8].includes(orientation); // and its rows
  const to = { width: swapped ? height : width, height: swapped ? width : height, channels, data: new Uint8Array(data.length) };
  let at = 0;
  for (let y = 0; y < to.height; y++) {
    for (let x = 0; x < to.width; x++) {
      // 6 is a quarter turn to the right: its column x is row height - 1 - x of the file.
      const [column, row] = swapped
        ? [flipped ? width - 1 - y : y, mirrored ? height - 1 - x : x]
        : [mirrored ? width - 1 - x : x, flipped ? height - 1 - y : y];
      const from = (row * width + column) * channels;
      for (let channel = 0; channel < channels; channel++) to.data[at++] = data[from + channel];
    }
  }
  return to;
}

/**
 * For each place of the smaller side, the places of the larger one that it averages, and their weights (cv2.INTER_AREA).
 * @param {number} from
 * @param {number} to
 */
function areas(from, to) {
  const scale = from / to;
  return Array.from({ length: to }, (_, place) => {
    const low = place * scale;
    const high = Math.min(low + scale, from);
    const first = Math.floor(low + 1e-9);
    const last = Math.min(Math.ceil(high - 1e-9), from);
    const weights = [];
    for (let at = first; at < last; at++) {
      weights.push((Math.min(high, at + 1) - Math.max(low, at)) / (high - low));
    }
    return { first, weights };
  });
}

/**
 * Averages over areas, where neither side grows.
 * @param {Picture} picture
 * @param {number} width
 * @param {number} height
 */
function reduce(picture, width, height) {
  const { channels, data } = picture;
  const columns = areas(picture.width, width);
  const rows = areas(picture.height, height);
  // OpenCV adds a half and cuts where both sides are halved, and rounds halves to the even number elsewhere.
  const halved = picture.width === 2 * width && picture.height === 2 * height;
  const out = new Uint8Array(width * height * channels);
  const line = new Float64Array(width * channels);
  for (let y = 0; y < height; y++) {
    line.fill(0);
    rows[y].weights.forEach((weight, step) => {
      const row = (rows[y].first + step) * picture.width;
      for (let x = 0; x < width; x++) {
        const { first, weights } = columns[x];
        for (let channel = 0; channel < channels; channel++) {
          let sum = 0;
          for (let at = 0; at < weights.length; at++) {
            sum += weights[at] * data[(row + first + at) * channels + channel];
          }
          line[x * channels + channel] += weight * sum;
        }
      }
    });
    for (let at = 0; at < line.length; at++) {
      // Weights of thirds and the like miss a half by their last bits.
      const value = Math.round(line[at] * 1e6) / 1e6;
      out[y * line.length + at] = halved ? Math.floor(value + 0.5) : roundHalfEven(value);
    }
  }
  return { width, height, channels, data: out };
}

/**
 * For each place of the larger side, its two neighbours in the smaller one and their weights in 1/2048 (cv2.INTER_LINEAR).
 * @param {number} from
 * @param {number} to
 */
function neighbours(from, to) {
  const scale = from / to;
  return Array.from({ length: to }, (_, place) => {
    const middle = Math.fround((place + 0.5) * scale - 0.5);
    const first = Math.floor(middle);
    if (first < 0) return [0, 0, 2048, 0];
    if (first >= from - 1) return [from - 1, from - 1, 2048, 0];
    const share = Math.fround(middle - first);
    return [first, first + 1, roundHalfEven(Math.fround(1 - share) * 2048), roundHalfEven(share * 2048)];
  });
}

/**
 * Enlarges linearly, where neither side shrinks.
 * @param {Picture} picture
 * @param {number} width
 * @param {number} height
 */
function enlarge(picture, width, height) {
  const { channels, data } = picture;
  const columns = neighbours(picture.width, width);
  const rows = neighbours(picture.height, height);
  const out = new Uint8Array(width * height * channels);
  // A row of the picture, enlarged to the width, in 1/2048.
  const wide = (/** @type {number} */ row) => {
    const line = new Int32Array(width * channels);
    columns.forEach(([left, right, near, far], x) => {
      for (let channel = 0; channel < channels; channel++) {
        const start = row * picture.width;
        line[x * channels + channel] =
          near * data[(start + left) * channels + channel] + far * data[(start + right) * channels + channel];
      }
    });
    return line;
  };
  const lines = Array.from({ length: picture.height }, (_, row) => wide(row));
  rows.forEach(([above, below, near, far], y) => {
    for (let at = 0; at < width * channels; at++) {
      // The shifts are OpenCV's, for 16-bit products.
      const sum = ((near * (lines[above][at] >> 4)) >> 16) + ((far * (lines[below][at] >> 4)) >> 16);
      out[y * width * channels + at] = (sum + 2) >> 2;
    }
  });
  return { width, height, channels, data: out };
}

/**
 * Each side that shrinks shrinks first, by areas; then the other is enlarged.
 * @param {Picture} picture
 * @param {number} width
 * @param {number} height
 */
function resizeTo(picture, width, height) {
  const reduced = [Math.min(width, picture.width), Math.min(height, picture.height)];
  if (reduced[0] !== picture.width || reduced[1] !== picture.height) picture = reduce(picture, reduced[0], reduced[1]);
  if (reduced[0] !== width || reduced[1] !== height) picture = enlarge(picture, width, height);
  return picture;
}

/**
 * A part of a picture.
 * @param {Picture} picture
 * @param {number} left
 * @param {number} top
 * @param {number} width
 * @param {number} height
 */
function cut(picture, left, top, width, height) {
  const { channels } = picture;
  const data = new Uint8Array(width * height * channels);
  for (let y = 0; y < height; y++) {
    const start = ((top + y) * picture.width + left) * channels;
    data.set(picture.data.subarray(start, start + width * channels), y * width * channels);
  }
  return { width, height, channels, data };
}

/**
 * Fits a picture into a black square; a side that would round to nothing keeps one pixel.
 * @param {Picture} picture
 * @param {number} size
 */
function pad(picture, size) {
  const { channels } = picture;
  const longer = Math.max(picture.width, picture.height);
  const width = Math.max(1, roundHalfEven((picture.width * size) / longer));
  const height = Math.max(1, roundHalfEven((picture.height * size) / longer));
  const small = resizeTo(picture, width, height);
  const data = new Uint8Array(size * size * channels);
  const [left, top] = [Math.floor((size - width) / 2), Math.floor((size - height) / 2)];
  for (let y = 0; y < height; y++) {
    const row = small.data.subarray(y * width * channels, (y + 1) * width * channels);
    data.set(row, ((top + y) * size + left) * channels);
  }
  return { width: size, height: size, channels, data };
}

/**
 * An upright picture as the graph takes it: size by size, by the resize rule of the model.
 * @param {Picture} picture
 * @param {number} size
 * @param {string} resize `crop`, `pad` or `stretch`
 */
export function toPixels(picture, size, resize) {
  if (resize === "crop") {
    const side = Math.min(picture.width, picture.height);
    const [left, top] = [picture.width - side, picture.height - side].map((rest) => Math.floor(rest / 2));
    picture = cut(picture, left, top, side, side);
  }
  if (resize === "pad") picture = pad(picture, size);
  return resizeTo(picture, size, size);
}
