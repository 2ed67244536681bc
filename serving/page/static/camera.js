// @ts-check
// A picture from the camera: a dialog where the browser allows it, or else the phone's own camera application.
import { element, notice } from "./text.js";

const QUALITY = 0.95;

/** @param {(files: File[]) => void} add */
export function acceptCamera(add) {
  const [dialog, video, shutter] = [element("camera-dialog"), element("video"), element("shutter")];
  let taken = 0;

  element("camera").addEventListener("click", async () => {
    // Browsers give the stream to pages from https and from this machine alone; and a phone's own camera is the better one.
    if (!navigator.mediaDevices || matchMedia("(pointer: coarse)").matches) {
      element("capture").click();
      return;
    }
    notice(element("camera-problem"), "");
    shutter.disabled = true;
    dialog.showModal();
    try {
      const stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment", width: { ideal: 1920 } } });
      if (dialog.open) video.srcObject = stream;
      else end(stream);
    } catch (error) {
      notice(element("camera-problem"), reasonOf(error));
    }
  });
  video.addEventListener("loadeddata", () => {
    shutter.disabled = false;
    shutter.focus();
  });
  shutter.addEventListener("click", async () => {
    const canvas = document.createElement("canvas");
    canvas.width = video.videoWidth;
    canvas.height = video.videoHeight;
    canvas.getContext("2d")?.drawImage(video, 0, 0);
    const blob = await new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", QUALITY));
    taken += 1;
    dialog.close();
    add([new File([blob], `camera ${taken}.jpg`, { type: "image/jpeg" })]);
  });
  element("camera-close").addEventListener("click", () => dialog.close());
  dialog.addEventListener("close", () => {
    end(video.srcObject);
    video.srcObject = null;
  });
}

/** @param {MediaStream | null} stream */
function end(stream) {
  for (const track of stream?.getTracks() ?? []) track.stop();
}

/** @param {any} error */
function reasonOf(error) {
  if (error.name === "NotAllowedError") return "The browser does not allow this page to use the camera: allow it beside the address.";
  if (error.name === "NotFoundError") return "This device has no camera.";
  if (error.name === "NotReadableError") return "Another program uses the camera: close it, and try again.";
  return `The camera does not start: ${error.message || error.name}`;
}
