package darkroom.classify

import android.content.Context
import android.graphics.Bitmap
import android.graphics.ImageDecoder
import java.io.Closeable
import java.nio.ByteBuffer
import java.nio.ByteOrder
import org.json.JSONObject
import org.tensorflow.lite.Interpreter

/** The most probable class; [label] is null where the confidence is below the threshold of the model. */
class Answer(val label: String?, val best: String, val confidence: Float, val probabilities: Map<String, Float>)

/** Answers with `model.tflite` of a bundle; it, `model.json` and `calibration.json` are assets of this app. */
class Classifier(context: Context) : Closeable {
    private val interpreter = Interpreter(direct(context.assets.open("model.tflite").use { it.readBytes() }))
    private val model = JSONObject(text(context, "model.json"))
    private val shape = model.getJSONObject("preprocessing")
    private val size = shape.getInt("size")
    private val channels = shape.getInt("channels")
    private val names = model.getJSONArray("classes")
    private val classes = List(names.length()) { names.getString(it) }
    private val calibration = JSONObject(text(context, "calibration.json"))
    private val threshold = if (calibration.isNull("threshold")) null else calibration.getDouble("threshold").toFloat()

    /** Decodes an image, upright by its EXIF orientation, and answers. */
    fun classify(source: ImageDecoder.Source): Answer {
        val bitmap = ImageDecoder.decodeBitmap(source) { decoder, _, _ ->
            decoder.allocator = ImageDecoder.ALLOCATOR_SOFTWARE
            decoder.isUnpremultipliedRequired = true
        }
        return answer(probabilities(bitmap))
    }

    /** The probability of each class, in the order of the class list. */
    fun probabilities(bitmap: Bitmap): FloatArray {
        val argb = IntArray(bitmap.width * bitmap.height)
        bitmap.getPixels(argb, 0, bitmap.width, 0, 0, bitmap.width, bitmap.height)
        val picture = Pixels.fromArgb(argb, bitmap.width, bitmap.height, channels)
        val pixels = Pixels.toPixels(picture, size, shape.getString("resize"))
        val found = arrayOf(FloatArray(classes.size))
        interpreter.run(direct(pixels.data), found)
        return found[0]
    }

    private fun answer(found: FloatArray): Answer {
        val best = found.indices.maxBy { found[it] }
        val sure = threshold == null || found[best] >= threshold
        return Answer(classes[best].takeIf { sure }, classes[best], found[best], classes.zip(found.toList()).toMap())
    }

    override fun close() = interpreter.close()

    private fun text(context: Context, name: String): String = context.assets.open(name).use { it.readBytes().decodeToString() }

    private fun direct(bytes: ByteArray): ByteBuffer =
        ByteBuffer.allocateDirect(bytes.size).order(ByteOrder.nativeOrder()).put(bytes).apply { rewind() }
}
