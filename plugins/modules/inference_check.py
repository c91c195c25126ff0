#!/usr/bin/python
# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: inference_check
short_description: Assert the error rate, agreement and latency of a served TensorFlow model
version_added: "0.1.0"
description:
  - Asks TensorFlow Serving over gRPC for tests whose answers are known, and fails when the answers are not good enough.
  - Every ready replica of a release is asked all of them through the Kubernetes API server (port-forward), and so is
    the address of its Service, where one is given. The worst of them decides.
  - The model's metadata say what it wants. What the dataset has is reshaped and cast where that is exact, and explained
    where it does not fit, before a request is sent.
  - Requests that fail are counted apart from wrong answers, and are never tried again.
  - After the counting, 50 requests with one test each, one after the other, give the latency; of a slow model as many as
    two seconds allow, but at least 10. One of them that fails is a failed request like the others.
  - The last result of every version is kept in the ConfigMap C(RELEASE-check), and the next one is compared with it, test by
    test. Nothing is kept in check mode, or of a check that failed because servers or requests did.
  - Shows the progress of a check that takes longer than some seconds.
  - Messages call the options by the variables of the role P(mlops.tf_serving.check#role), such as C(check_tests).
author:
  - The mlops.tf_serving developers (@mlops)
extends_documentation_fragment:
  - kubernetes.core.k8s_auth_options
  - mlops.tf_serving.controller
  - mlops.tf_serving.release.port
  - mlops.tf_serving.release.model_name
  - mlops.tf_serving.tls
  - mlops.tf_serving.tls.servers
  - mlops.tf_serving.check_files
requirements:
  - python >= 3.10
  - kubernetes >= 24.2, for O(release)
  - grpcio >= 1.60
  - protobuf >= 4.25
  - numpy >= 1.24
  - matplotlib and jinja2, for O(report)
attributes:
  check_mode:
    description: Asks as well, because that changes nothing. Skipped where the release has no Deployment yet.
    support: full
  diff_mode:
    description: Shows what O(record) and O(record_missing) change.
    support: full
options:
  release:
    description:
      - Helm release whose replicas are asked. Its account needs get on deployments, list on pods, get and create on
        pods/portforward, and get, create and patch on configmaps (without that, results are not compared, with a warning).
      - Left out, only O(address) is asked, and no Kubernetes API is needed.
    type: str
  namespace:
    description: Namespace of the release.
    type: str
    default: default
  address:
    description:
      - HOST or HOST:PORT of the Service, as seen from the controller; without a port, O(port). Empty means none.
      - Together with O(release), an address that the controller cannot reach is a warning.
    type: str
  tls:
    description: Whether to speak TLS with O(address). Whether a pod of O(release) speaks it says the pod.
    type: bool
    default: false
  signature:
    description:
      - Signature to call, a predict, classify or regress one.
      - Empty means C(predict_images) if the model has it, else C(serving_default), else its only one.
    type: str
    default: ""
  inputs:
    description:
      - Column of the dataset (or a list of columns, which are put side by side) by name of the model's input. Of a classify
        or regress signature, by name of the feature of its tf.Example.
      - Empty means the columns of the same names; a single input takes the only column that is not O(labels).
      - "A number, C(true), C(false) or C({value: ...}) is no column but a value that all tests get, such as C({keep_prob: 1.0}):
        once in a request where the input is one value for a whole request, else with each test."
    type: dict
    default: {}
  output:
    description:
      - Output with the answers. Empty means C(scores), or else the signature's only one.
      - A classify signature has C(classes) and C(scores), a regress signature C(outputs).
    type: str
    default: ""
  labels:
    description:
      - Column with the expected answers. Empty means C(labels), C(label), C(y), C(y_test) or C(test_labels), if there is one.
      - Without labels there has to be O(golden).
      - One that is no class of the model, by the size of its output, is an error, for it can never be answered right.
    type: str
    default: ""
  tolerance:
    description:
      - Left out, answers are classes, which are right or wrong. That is the highest score, a whole number or a string.
      - A number makes them values. One is right where it differs from what is expected by at most the tolerance
        times the larger of 1 and the absolute expected value. All values of a test have to be right.
    type: float
  divisor:
    description: What numbers are divided by before they are sent. Left out, 255 for pictures from IDX files, else 1.
    type: float
  expected_version:
    description: Version that has to answer, from 1. Left out, any will do. Not enforced in check mode.
    type: int
  version_timeout:
    description:
      - Seconds to wait for O(expected_version) while an older one answers.
      - A model server looks for new versions from time to time, and NFS remembers a folder for up to a minute.
    type: int
    default: 120
  max_error_rate:
    description: Highest error rate to pass, in percent, compared with the rate as it is printed (one decimal).
    type: float
    default: 15
  min_agreement:
    description: Lowest agreement with O(golden) to pass, in percent.
    type: float
    default: 99
  max_latency_ms:
    description:
      - Highest latencies to pass, in milliseconds, by C(p50), C(p90), C(p99) or C(max).
      - Checks of other hosts in the same run wait while it is measured. Where they go on asking for two minutes it is measured all the
        same, and one over its limit is not judged, which a warning says.
    type: dict
    default: {}
  max_failed_requests:
    description: Number of requests to one server that may fail.
    type: int
    default: 0
  min_rate:
    description:
      - Lowest rate to pass, in requests per second to one server with O(batch_size) and O(concurrency). Left out, any will do.
    type: float
  max_difference:
    description:
      - Highest difference to pass, in percentage points, of the error rate over that of O(stable_version), from the result
        that is kept of it. Without labels, of the disagreement with O(golden).
      - Where no comparable result is kept, a warning says so, and the other thresholds decide.
    type: float
  stable_version:
    description:
      - Version that is stable now, from 1, to compare with. Left out, or where it is the one that answers, there is none.
    type: int
  batch_size:
    description:
      - Tests in one request of those that are counted. Left out, about 512 KiB a request, and at most 64.
      - A model whose batch size is fixed gets that, always.
    type: int
  concurrency:
    description: Requests under way at one time to one replica.
    type: int
    default: 4
  timeout:
    description: Seconds for one request.
    type: float
    default: 10
"""

EXAMPLES = r"""
- name: Every replica and the Service's address answer at most 15 % of the test images wrongly
  mlops.tf_serving.inference_check:
    release: mnist-deploy
    model_name: mnist
    address: 203.0.113.10:9090
    dataset: https://storage.googleapis.com/cvdf-datasets/mnist/
    max_error_rate: 15

- name: A server that this machine reaches by itself, version 3 of the model, with a report
  mlops.tf_serving.inference_check:
    address: model-server.example.com:8500
    model_name: mnist
    expected_version: 3
    dataset: /srv/datasets/mnist
    dataset_checksum:
      t10k-images-idx3-ubyte.gz: sha256:8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6
    report: /srv/reports/mnist.html

- name: A regression, right within 5 %, and fast
  mlops.tf_serving.inference_check:
    release: prices-deploy
    model_name: prices
    dataset: /srv/datasets/prices.csv
    inputs:
      features: [rooms, area, age]
    labels: price
    tolerance: 0.05
    max_latency_ms:
      p99: 50

- name: What the version that is trusted answers
  mlops.tf_serving.inference_check:
    release: embed-deploy
    model_name: embed
    dataset: /srv/datasets/texts.jsonl
    record: /srv/golden/embed.npz

- name: The same, but only the first time; later the answers are compared with those
  mlops.tf_serving.inference_check:
    release: embed-deploy
    model_name: embed
    dataset: /srv/datasets/texts.jsonl
    golden: /srv/golden/embed.npz
    record_missing: true

- name: Another version answers the same
  mlops.tf_serving.inference_check:
    release: embed-deploy
    model_name: embed
    dataset: /srv/datasets/texts.jsonl
    golden: /srv/golden/embed.npz
    tolerance: 0.001
    min_agreement: 99.5
"""

RETURN = r"""
message:
  description: The tutorial's line. Of all that were asked, the worst decides. Without labels, the agreement with O(golden).
  returned: when servers were asked
  type: str
  sample: "Inference error rate: 10.4%"
summary:
  description: The verdict, what it rests on, and a line for each of the worst servers, for a person to read. At most ten lines.
  returned: when servers were asked, without O(record)
  type: list
  elements: str
  sample:
    - "Passed: error rate 10.4% (at most 15%)."
    - "Inference error rate: 10.4% (8.7% to 12.4% with 95% confidence, limit at most 15%)"
    - "pod mnist-deploy-serving-5d4b9cf6c8-2xkqp, version 1 AVAILABLE: 10.4%, 104 of 1000 tests wrong, 0 unanswered"
error_rate:
  description: Wrong answers in percent of the answers, one decimal; null where nothing was answered, and without labels.
  returned: when answers were judged
  type: float
  sample: 10.4
interval:
  description: Between which rates the model's own lies with 95 % confidence (Wilson score), in percent.
  returned: when answers were judged
  type: list
  elements: float
  sample: [8.7, 12.4]
agreement:
  description: Answers that agree with O(golden), in percent, of the server with the fewest; null without O(golden).
  returned: when answers were judged
  type: float
tests:
  description: Number of tests for every replica.
  returned: when servers were asked
  type: int
  sample: 1000
wrong:
  description: Number of wrong answers, of the worst.
  returned: when answers were judged
  type: int
  sample: 104
unanswered:
  description: Number of tests whose request failed or was not sent any more, of the worst.
  returned: when answers were judged
  type: int
  sample: 0
version:
  description: Version of the model that answered, null where several did.
  returned: when servers were asked
  type: int
  sample: 1
thresholds:
  description: Every limit that was judged.
  returned: when answers were judged
  type: list
  elements: dict
  contains:
    key: {description: "The option, such as C(max_error_rate) or C(max_latency_ms.p99).", type: str, returned: always}
    name: {description: Its name for people., type: str, returned: always}
    limit: {description: The limit in words., type: str, returned: always}
    measured: {description: What was measured in words., type: str, returned: always}
    bound: {description: The limit., type: float, returned: always}
    value: {description: What was measured., type: float, returned: always}
    passed: {description: Whether it was kept., type: bool, returned: always}
    within_noise:
      description: Whether so many tests cannot tell on which side of the limit the model is.
      type: bool
      returned: always
    noise: {description: That in words., type: str, returned: always}
confused:
  description: Of the worst, which class was taken for which, the most frequent first, at most ten.
  returned: when answers were judged
  type: list
  elements: dict
  contains:
    expected: {description: The class that is right., type: raw, returned: always}
    given: {description: The class that was answered., type: raw, returned: always}
    count: {description: How often., type: int, returned: always}
comparison:
  description: What changed since the last result that is kept. Null where there is none.
  returned: when answers were judged
  type: dict
  contains:
    version: {description: Version of the other result., type: int, returned: always}
    at: {description: When that was., type: str, returned: always}
    differs: {description: Why the two cannot be compared; empty where they can., type: list, elements: str, returned: always}
    error_rate: {description: The other error rate in percent., type: float, returned: always}
    interval: {description: Its interval., type: list, elements: float, returned: always}
    agreement: {description: The other agreement in percent., type: float, returned: always}
    points: {description: The difference in percentage points; more than 0 is worse., type: float, returned: always}
    points_interval:
      description: Between which values it lies with 95 % confidence.
      type: list
      elements: float
      returned: always
    newly_wrong: {description: Tests that were right then and are wrong now; null above 20000 tests., type: int, returned: always}
    newly_right: {description: Tests that were wrong then and are right now., type: int, returned: always}
    p_value: {description: Of McNemar's exact test., type: float, returned: always}
    within_noise: {description: Whether chance alone may have made the difference., type: bool, returned: always}
    text: {description: All that in one line., type: str, returned: always}
difference:
  description: The same against the result of O(stable_version).
  returned: when answers were judged
  type: dict
rate:
  description: Requests per second of those that were counted, of the slowest.
  returned: when answers were judged
  type: float
report:
  description: Path of the report, null without O(report).
  returned: when answers were judged
  type: str
golden:
  description: Path of the golden file.
  returned: where answers were recorded
  type: str
recorded:
  description: V(true). Without labels nothing was compared, and no numbers are told.
  returned: with O(record_missing), where the file was not there
  type: bool
replicas:
  description: What came of every replica.
  returned: when answers were judged
  type: list
  elements: dict
  contains:
    pod: {description: Name of the pod., type: str, returned: always}
    version: {description: Version that answered., type: int, returned: always}
    state:
      description:
        - What the server says of O(expected_version), or else of the version that answered, such as V(AVAILABLE) or V(END).
          Null where it says nothing, as before 1.6.
      type: str
      returned: always
    error_rate: {description: Its error rate in percent., type: float, returned: always}
    agreement: {description: Its agreement with O(golden) in percent., type: float, returned: always}
    wrong: {description: Number of wrong answers; null without labels., type: int, returned: always}
    not_finite: {description: Wrong answers that hold NaN or infinity., type: int, returned: always}
    unanswered: {description: Number of tests without an answer., type: int, returned: always}
    requests: {description: "Number of requests sent, those that were timed among them.", type: int, returned: always}
    errors: {description: "Number of failed requests by gRPC status code, or MALFORMED_REPLY.", type: dict, returned: always}
    rate: {description: Requests per second of those that were counted., type: float, returned: always}
    latency_ms:
      description:
        - "Milliseconds of a request with one test while no other is under way: p50, p90, p99 and max. Null where none was
          answered."
        - The way through the API server counts in.
      type: dict
      returned: always
    problem: {description: "Why it could not be asked, or was not what it should be.", type: str, returned: always}
address:
  description: The same of the Service's address, null where none was given.
  returned: when answers were judged
  type: dict
failure:
  description: The same as RV(ignore:msg) for programs, with a code such as C(error_rate_exceeded) or C(unavailable).
  returned: on failure
  type: dict
"""
