"""The requests a version answers before it is AVAILABLE: assets.extra/tf_serving_warmup_requests, since 1.9."""
from __future__ import annotations

import os
import time

from . import inference, log  # inference first: puts the slim tensorflow package in place
from .errors import DATA_LOSS, UNIMPLEMENTED, Failure, invalid

# isort: split
from google.protobuf.message import DecodeError
from tensorflow.python.framework import errors_impl
from tensorflow.python.lib.io import _pywrap_record_io
from tensorflow_serving.apis import classification_pb2, predict_pb2, prediction_log_pb2, regression_pb2

FILE = os.path.join("assets.extra", "tf_serving_warmup_requests")
MOST = 1000


def run(servable, path, metrics, batching=None):
    """Failure when the file cannot be read or a record not be answered: then the load has failed."""
    file = os.path.join(path, FILE)
    if not os.path.exists(file):
        log.info("warmup", "No warmup data file found at %s" % file)
        return
    log.info("warmup", "Starting to read warmup data for model at %s with model-warmup-options " % file)
    begun = time.monotonic()
    count = 0
    try:
        for record in _pywrap_record_io.RecordIterator(file, ""):
            _answer(servable, record, file, batching)
            count += 1
            if count > MOST:
                raise invalid("Number of warmup records exceeds the maximum (%d) at %s" % (MOST, file))
    except errors_impl.DataLossError as error:
        raise Failure(DATA_LOSS, error.message + ". Please verify your warmup data is in TFRecord format.") from error
    except errors_impl.OpError as error:
        raise Failure(error.error_code, error.message) from error
    micros = (time.monotonic() - begun) * 1e6
    metrics.observe(":tensorflow:serving:model_warmup_latency", {"model_path": path, "status": "OK"}, micros)
    log.info("warmup", "Finished reading warmup data for model at %s. Number of warmup records read: %d. Elapsed time "
             "(microseconds): %d." % (file, count, micros))


def _answer(servable, record, file, batching):
    try:
        prediction = prediction_log_pb2.PredictionLog.FromString(record)
    except DecodeError as error:
        raise invalid("Failed to parse warmup record: %s from %s" % (record[:80], file)) from error
    kind = prediction.WhichOneof("log_type")
    if kind == "predict_log":
        inference.predict(servable, prediction.predict_log.request, predict_pb2.PredictResponse(), batching)
    elif kind == "classify_log":
        inference.classify(servable, prediction.classify_log.request, classification_pb2.ClassificationResponse(), batching)
    elif kind == "regress_log":
        inference.regress(servable, prediction.regress_log.request, regression_pb2.RegressionResponse(), batching)
    elif kind is not None:
        raise Failure(UNIMPLEMENTED, "Unsupported log_type for warmup: %s" % kind)
