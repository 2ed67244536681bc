plugins {
    id("com.android.application")
    id("org.jetbrains.kotlin.android")
}

android {
    namespace = "darkroom.classify"
    compileSdk = 35
    defaultConfig {
        applicationId = "darkroom.classify"
        minSdk = 28 // ImageDecoder, which turns pictures upright
        targetSdk = 35
        versionCode = 1
        versionName = "1"
    }
    androidResources { noCompress += "tflite" }
    compileOptions {
        sourceCompatibility = JavaVersion.VERSION_17
        targetCompatibility = JavaVersion.VERSION_17
    }
    kotlinOptions { jvmTarget = "17" }
}

dependencies {
    implementation("com.google.ai.edge.litert:litert:1.4.0")
    testImplementation("junit:junit:4.13.2")
}
