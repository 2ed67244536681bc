package darkroom.classify

import java.io.File
import java.util.Base64
import kotlin.math.abs
import kotlin.system.exitProcess

/** A golden vector: a picture, and the array that Python makes of it. */
class Golden(val picture: Picture, val size: Int, val resize: String, val pixels: ByteArray)

/** The vectors of a `golden.json`, as `python -m serving.offline.golden` writes it; without a JSON library, for a bare JVM. */
fun readGolden(text: String): List<Golden> {
    fun field(part: String, name: String): String =
        Regex("\"$name\": \"?([\\w+/=]*)").find(part)?.groupValues?.get(1) ?: error("golden.json has no $name")
    val head = text.substringBefore("\"vectors\"")
    return text.substringAfter("\"vectors\"").split("\"width\"").drop(1).map { rest ->
        val part = "\"width\"$rest"
        val channels = field(head, "channels").toInt()
        val data = Base64.getDecoder().decode(field(part, "data"))
        val picture = Picture(field(part, "width").toInt(), field(part, "height").toInt(), channels, data)
        Golden(picture, field(head, "size").toInt(), field(head, "resize"), Base64.getDecoder().decode(field(part, "pixels")))
    }
}

/** The largest difference of a value from Python's, of 255. */
fun largestDifference(golden: Golden): Int {
    val found = Pixels.toPixels(golden.picture, golden.size, golden.resize)
    check(found.data.size == golden.pixels.size) { "${found.data.size} values in place of ${golden.pixels.size}" }
    return found.data.indices.maxOf { abs(found.value(it) - (golden.pixels[it].toInt() and 0xff)) }
}

fun main(arguments: Array<String>) {
    for (name in arguments) {
        val differences = readGolden(File(name).readText()).map(::largestDifference)
        println("$name: ${differences.size} pictures, largest difference ${differences.max()} of 255")
        if (differences.isEmpty() || differences.max() > 1) exitProcess(1)
    }
}
