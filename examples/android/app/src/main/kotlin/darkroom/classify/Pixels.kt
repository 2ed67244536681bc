package darkroom.classify

import kotlin.math.ceil
import kotlin.math.floor
import kotlin.math.max
import kotlin.math.min
import kotlin.math.round

/** A picture of bytes, row by row, with its channels (1 is grey, 3 is RGB) interleaved. */
class Picture(val width: Int, val height: Int, val channels: Int, val data: ByteArray) {
    init {
        require(data.size == width * height * channels) { "${data.size} bytes are no picture of $width x $height x $channels" }
    }

    fun value(place: Int): Int = data[place].toInt() and 0xff
}

/** From a decoded picture to the array that the graph takes: the rules of darkroom/images/pixels.py, number by number. */
object Pixels {
    /** ARGB, row by row, to grey (ITU-R 601 luma) or RGB; transparency is laid over white. */
    fun fromArgb(argb: IntArray, width: Int, height: Int, channels: Int): Picture {
        val data = ByteArray(argb.size * channels)
        argb.forEachIndexed { place, colour ->
            val alpha = colour ushr 24
            val (red, green, blue) = intArrayOf(16, 8, 0).map { shift ->
                (((colour shr shift) and 0xff) * alpha + 255 * (255 - alpha) + 127) / 255
            }
            if (channels == 1) {
                data[place] = ((19595 * red + 38470 * green + 7471 * blue + 32768) shr 16).toByte()
            } else {
                data[3 * place] = red.toByte()
                data[3 * place + 1] = green.toByte()
                data[3 * place + 2] = blue.toByte()
            }
        }
        return Picture(width, height, channels, data)
    }

    /** An upright picture as the graph takes it: [size] by [size], by the resize rule `crop`, `pad` or `stretch`. */
    fun toPixels(picture: Picture, size: Int, resize: String): Picture = when (resize) {
        "crop" -> {
            val side = min(picture.width, picture.height)
            resizeTo(cut(picture, (picture.width - side) / 2, (picture.height - side) / 2, side, side), size, size)
        }
        "pad" -> pad(picture, size)
        "stretch" -> resizeTo(picture, size, size)
        else -> throw IllegalArgumentException("there is no resize rule $resize")
    }

    /** Each side that shrinks shrinks first, by areas; then the other is enlarged. */
    private fun resizeTo(picture: Picture, width: Int, height: Int): Picture {
        val reduced = reduce(picture, min(width, picture.width), min(height, picture.height))
        return enlarge(reduced, width, height)
    }

    /** The places of the larger side that a place of the smaller one averages: the first one, and the weights. */
    private fun areas(from: Int, to: Int): List<Pair<Int, DoubleArray>> {
        val scale = from.toDouble() / to
        return List(to) { place ->
            val low = place * scale
            val high = min(low + scale, from.toDouble())
            val first = floor(low + 1e-9).toInt()
            val last = min(ceil(high - 1e-9).toInt(), from)
            first to DoubleArray(last - first) { (min(high, first + it + 1.0) - max(low, (first + it).toDouble())) / (high - low) }
        }
    }

    /** Averages over areas (cv2.INTER_AREA), where neither side grows. */
    private fun reduce(picture: Picture, width: Int, height: Int): Picture {
        if (width == picture.width && height == picture.height) return picture
        val channels = picture.channels
        val columns = areas(picture.width, width)
        val rows = areas(picture.height, height)
        // OpenCV adds a half and cuts where both sides are halved, and rounds halves to the even number elsewhere.
        val halved = picture.width == 2 * width && picture.height == 2 * height
        val out = ByteArray(width * height * channels)
        for (y in 0 until height) {
            val line = DoubleArray(width * channels)
            rows[y].second.forEachIndexed { step, weight ->
                val row = (rows[y].first + step) * picture.width
                columns.forEachIndexed { x, (first, weights) ->
                    for (channel in 0 until channels) {
                        var sum = 0.0
                        weights.forEachIndexed { at, share -> sum += share * picture.value((row + first + at) * channels + channel) }
                        line[x * channels + channel] += weight * sum
                    }
                }
            }
            for (at in line.indices) {
                // Weights of thirds and the like miss a half by their last bits.
                val value = round(line[at] * 1e6) / 1e6
                out[y * line.size + at] = (if (halved) floor(value + 0.5) else round(value)).toInt().toByte()
            }
        }
        return Picture(width, height, channels, out)
    }

    /** The two neighbours of a place in the smaller side, and their weights in 1/2048 (cv2.INTER_LINEAR). */
    private fun neighbours(from: Int, to: Int): List<IntArray> = List(to) { place ->
        val middle = ((place + 0.5) * (from.toDouble() / to) - 0.5).toFloat()
        val first = floor(middle).toInt()
        val share = middle - first
        when {
            first < 0 -> intArrayOf(0, 0, 2048, 0)
            first >= from - 1 -> intArrayOf(from - 1, from - 1, 2048, 0)
            else -> intArrayOf(first, first + 1, round((1 - share) * 2048.0).toInt(), round(share * 2048.0).toInt())
        }
    }

    /** Enlarges linearly, where neither side shrinks. */
    private fun enlarge(picture: Picture, width: Int, height: Int): Picture {
        if (width == picture.width && height == picture.height) return picture
        val channels = picture.channels
        val columns = neighbours(picture.width, width)
        val lines = Array(picture.height) { row ->
            IntArray(width * channels) { at ->
                val (left, right, near, far) = columns[at / channels]
                val start = row * picture.width
                val channel = at % channels
                near * picture.value((start + left) * channels + channel) + far * picture.value((start + right) * channels + channel)
            }
        }
        val out = ByteArray(width * height * channels)
        neighbours(picture.height, height).forEachIndexed { y, (above, below, near, far) ->
            for (at in 0 until width * channels) {
                // The shifts are OpenCV's, for 16-bit products.
                val sum = ((near * (lines[above][at] shr 4)) shr 16) + ((far * (lines[below][at] shr 4)) shr 16)
                out[y * width * channels + at] = ((sum + 2) shr 2).toByte()
            }
        }
        return Picture(width, height, channels, out)
    }

    private fun cut(picture: Picture, left: Int, top: Int, width: Int, height: Int): Picture {
        val row = width * picture.channels
        val data = ByteArray(height * row)
        for (y in 0 until height) {
            picture.data.copyInto(data, y * row, ((top + y) * picture.width + left) * picture.channels, ((top + y) * picture.width + left) * picture.channels + row)
        }
        return Picture(width, height, picture.channels, data)
    }

    /** Fits a picture into a black square; a side that would round to nothing keeps one pixel. */
    private fun pad(picture: Picture, size: Int): Picture {
        val longer = max(picture.width, picture.height).toDouble()
        val (width, height) = listOf(picture.width, picture.height).map { max(1, round(it * size / longer).toInt()) }
        val small = resizeTo(picture, width, height)
        val data = ByteArray(size * size * picture.channels)
        val row = width * picture.channels
        for (y in 0 until height) {
            val start = (((size - height) / 2 + y) * size + (size - width) / 2) * picture.channels
            small.data.copyInto(data, start, y * row, (y + 1) * row)
        }
        return Picture(size, size, picture.channels, data)
    }
}
