from __future__ import annotations

from model_server.monitoring import Metrics


def test_the_page_is_what_prometheus_reads():
    metrics = Metrics()
    metrics.request("mnist", "Predict", "GRPC", "OK", 100.0, 50.0)
    metrics.request("mnist", "Predict", "GRPC", "NOT_FOUND", 5.0, None)
    metrics.count("x", {"path": 'a"b\\c'})
    lines = metrics.page().splitlines()
    assert ':tensorflow:serving:request_count{model_name="mnist",status="OK"} 1' in lines
    assert ':tensorflow:serving:request_count{model_name="mnist",status="NOT_FOUND"} 1' in lines
    assert ":tensorflow:core:graph_runs{} 1" in lines
    assert r'x{path="a\"b\\c"} 1' in lines
    labels = 'model_name="mnist",API="Predict",entrypoint="GRPC"'
    buckets = [line for line in lines if line.startswith(":tensorflow:serving:request_latency_bucket")]
    assert len(buckets) == 34
    assert buckets[0] == ':tensorflow:serving:request_latency_bucket{%s,le="10"} 1' % labels
    assert buckets[4].endswith('le="104.976"} 2')
    assert buckets[-1].endswith('le="+Inf"} 2')
    assert ":tensorflow:serving:request_latency_sum{%s} 105" % labels in lines
    assert ":tensorflow:serving:request_latency_count{%s} 2" % labels in lines
    assert lines.count("# TYPE :tensorflow:serving:request_latency histogram") == 1
