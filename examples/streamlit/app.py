"""A page by Streamlit that sends images to the service and draws the answers: `streamlit run app.py`."""

import os

import requests
import streamlit as st

# The service, which this program asks; the browser asks only Streamlit.
SERVICE = os.environ.get("SERVICE", "http://127.0.0.1:8080")
TIMEOUT = 60


def predict(data: bytes) -> dict:
    """What `POST /v1/predict` answers about one image file.

    Raises:
        ValueError: with the service's reason, when there is no answer.
    """
    headers = {"Content-Type": "application/octet-stream"}
    try:
        response = requests.post(f"{SERVICE}/v1/predict", data, params={"top_k": 5}, headers=headers, timeout=TIMEOUT)
    except requests.RequestException as error:
        raise ValueError(f"the service at {SERVICE} can't be reached: {error}") from None
    if response.ok:
        return response.json()
    try:
        reason = response.json()["detail"]
    except (ValueError, KeyError):  # a proxy's own page
        reason = f"the service answered with {response.status_code}"
    wait = response.headers.get("Retry-After")
    raise ValueError(reason + (f"; try again in {wait} s" if wait else ""))


def show(answer: dict) -> None:
    """Draw one answer. Names are text here: elsewhere Streamlit takes them for Markdown."""
    st.metric("Class", "Not sure" if answer["abstains"] else answer["label"])
    if answer["abstains"]:
        st.warning(f"The model gives no answer below {answer['threshold']:.1%}.")
    for label, probability in answer["probabilities"].items():
        st.text(f"{label} {probability:.1%}")
        st.progress(probability)


st.title("Classify images")
for file in st.file_uploader("Images", accept_multiple_files=True):
    try:
        found = predict(file.getvalue())
    except ValueError as error:
        st.error("No answer")
        st.text(f"{file.name}: {error}")
        continue
    picture, words = st.columns(2)
    picture.image(file.getvalue(), width="stretch")
    with words:
        show(found)
