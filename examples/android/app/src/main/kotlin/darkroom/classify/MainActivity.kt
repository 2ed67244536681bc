package darkroom.classify

import android.app.Activity
import android.content.Intent
import android.graphics.ImageDecoder
import android.os.Bundle
import android.widget.Button
import android.widget.LinearLayout
import android.widget.TextView
import kotlin.concurrent.thread

/** Choose an image, and read what it is. Nothing leaves the phone: the app has no permission for the network. */
class MainActivity : Activity() {
    private val classifier by lazy { Classifier(this) }
    private lateinit var answer: TextView

    override fun onCreate(state: Bundle?) {
        super.onCreate(state)
        answer = TextView(this).apply { textSize = 24f }
        val choose = Button(this).apply {
            text = "Choose an image"
            setOnClickListener { startActivityForResult(Intent(Intent.ACTION_OPEN_DOCUMENT).setType("image/*"), 0) }
        }
        setContentView(LinearLayout(this).apply {
            orientation = LinearLayout.VERTICAL
            addView(choose)
            addView(answer)
        })
    }

    override fun onActivityResult(request: Int, result: Int, data: Intent?) {
        val chosen = data?.data ?: return
        thread {
            val words = try {
                val found = classifier.classify(ImageDecoder.createSource(contentResolver, chosen))
                val best = "%s %.1f%%".format(found.best, 100 * found.confidence)
                if (found.label == null) "not sure ($best)" else best
            } catch (error: java.io.IOException) {
                "This file can't be read as an image: ${error.message}"
            }
            runOnUiThread { answer.text = words }
        }
    }
}
