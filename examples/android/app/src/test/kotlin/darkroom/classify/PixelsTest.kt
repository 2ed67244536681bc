package darkroom.classify

import org.junit.Assert.assertEquals
import org.junit.Assert.assertTrue
import org.junit.Test

/** `gradle test`: the app makes of a picture what Python makes of it, within 1 of 255. */
class PixelsTest {
    @Test
    fun pixelsAreThoseOfPython() {
        val golden = readGolden(javaClass.getResource("/golden.json")!!.readText())
        assertTrue(golden.isNotEmpty())
        for (each in golden) assertTrue(largestDifference(each) <= 1)
    }

    @Test
    fun transparencyIsLaidOverWhite() {
        val found = Pixels.fromArgb(intArrayOf(0x00000000, 0xff102030.toInt(), 0x80000000.toInt()), 3, 1, 3)
        assertEquals(listOf(255, 255, 255, 16, 32, 48, 127, 127, 127), List(9) { found.value(it) })
    }
}
