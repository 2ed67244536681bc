// @ts-check
// A large JPEG comes out reduced, as the evaluated decoder opens it: each block of 8 x 8 becomes one of fewer pixels, from its
// lowest frequencies (the format's own scaling, in libjpeg). The browser decodes at full size, and the blocks are found again.

/** @typedef {import("./pixels.js").Picture} Picture */

/**
 * How many of 8 pixels of a side the decoder leaves, as long as the shorter side keeps `least`.
 * @param {number} width
 * @param {number} height
 * @param {number} least pixels
 * @param {string} decoder `turbo`, `opencv` or `pillow`
 */
export function eighths(width, height, least, decoder) {
  const shorter = Math.min(width, height);
  if (shorter <= least) return 8;
  if (decoder === "turbo") {
    for (let left = 1; left < 8; left++) if (Math.ceil((shorter * left) / 8) >= least) return left;
    return 8;
  }
  const longest = Math.ceil((Math.max(width, height) * least) / shorter);
  const factor = Math.min(Math.floor(shorter / least), decoder === "pillow" ? Math.floor(Math.max(width, height) / longest) : 8);
  return factor >= 8 ? 1 : factor >= 4 ? 2 : factor >= 2 ? 4 : 8;
}

/**
 * From 8 values to `left`: the cosine transform of 8, cut to its lowest frequencies, and the inverse one of `left`.
 * @param {number} left
 */
function reduction(left) {
  const wave = (/** @type {number} */ frequency, /** @type {number} */ place, /** @type {number} */ size) =>
    Math.sqrt((frequency ? 2 : 1) / size) * Math.cos(((2 * place + 1) * frequency * Math.PI) / (2 * size));
  return Array.from({ length: left }, (_, to) =>
    Float64Array.from({ length: 8 }, (_, from) => {
      let sum = 0;
      for (let frequency = 0; frequency < left; frequency++) sum += wave(frequency, to, left) * wave(frequency, from, 8);
      return sum * Math.sqrt(left / 8);
    }),
  );
}

/**
 * Each block of 8 x 8 as one of `left` x `left`.
 * @param {Picture} picture as it is in the file, before it is turned
 * @param {number} left of 8 pixels
 * @returns {Picture}
 */
export function reduceBlocks(picture, left) {
  if (left === 8) return picture;
  const { channels, data } = picture;
  const [width, height] = [picture.width, picture.height].map((side) => Math.ceil((side * left) / 8));
  const rule = reduction(left);
  const out = new Uint8ClampedArray(width * height * channels); // rounds and clamps
  const across = new Float64Array(8 * left); // a block of which the rows are reduced
  const columns = new Int32Array(8);
  for (let top = 0; top < picture.height; top += 8) {
    for (let start = 0; start < picture.width; start += 8) {
      // Past the edge encoders repeat the last pixel.
      for (let from = 0; from < 8; from++) columns[from] = Math.min(start + from, picture.width - 1) * channels;
      for (let channel = 0; channel < channels; channel++) {
        for (let row = 0; row < 8; row++) {
          const line = Math.min(top + row, picture.height - 1) * picture.width * channels + channel;
          for (let to = 0; to < left; to++) {
            const weights = rule[to];
            let sum = 0;
            for (let from = 0; from < 8; from++) sum += weights[from] * data[line + columns[from]];
            across[row * left + to] = sum;
          }
        }
        const [first, above] = [(start / 8) * left, (top / 8) * left];
        for (let y = 0; y < left && above + y < height; y++) {
          for (let x = 0; x < left && first + x < width; x++) {
            let sum = 0;
            for (let row = 0; row < 8; row++) sum += rule[y][row] * across[row * left + x];
            out[((above + y) * width + first + x) * channels + channel] = sum;
          }
        }
      }
    }
  }
  return { width, height, channels, data: new Uint8Array(out.buffer) };
}
