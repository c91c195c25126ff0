# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""TensorFlow Serving's gRPC messages, built at run time, without TensorFlow and without generated code.

Generated code binds to the protobuf version it was made with, and tensorflow-serving-api pulls in TensorFlow. Field
numbers and types are all that goes over the wire, so the few messages needed are written down here and live in a
descriptor pool of their own, where they cannot clash with the official ones in the same process.
"""
from __future__ import annotations

import functools
import re
import types
from typing import Any

try:
    import google.protobuf
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
except ImportError:
    pass  # the task has said so: it is one of its NEEDS

PACKAGE = "mlops_tf_serving"  # not on the wire

PREDICT = "/tensorflow.serving.PredictionService/Predict"
CLASSIFY = "/tensorflow.serving.PredictionService/Classify"
REGRESS = "/tensorflow.serving.PredictionService/Regress"
GET_MODEL_METADATA = "/tensorflow.serving.PredictionService/GetModelMetadata"
GET_MODEL_STATUS = "/tensorflow.serving.ModelService/GetModelStatus"  # UNIMPLEMENTED on 1.4, as is the next
RELOAD_CONFIG = "/tensorflow.serving.ModelService/HandleReloadConfigRequest"

# The fields of the official .proto files that are read or written here. Enums are int32: the same on the wire.
DEFINITIONS = """
message Int64Value { int64 value = 1; }
message Any { string type_url = 1; bytes value = 2; }

message BytesList { repeated bytes value = 1; }
message FloatList { repeated float value = 1; }
message Int64List { repeated int64 value = 1; }
message Feature { BytesList bytes_list = 1; FloatList float_list = 2; Int64List int64_list = 3; }
message Features { map<string, Feature> feature = 1; }
message Example { Features features = 1; }

message Dim { int64 size = 1; string name = 2; }
message TensorShapeProto { repeated Dim dim = 2; bool unknown_rank = 3; }
message TensorProto {
  int32 dtype = 1;
  TensorShapeProto tensor_shape = 2;
  int32 version_number = 3;
  bytes tensor_content = 4;
  repeated float float_val = 5;
  repeated double double_val = 6;
  repeated int32 int_val = 7;
  repeated bytes string_val = 8;
  repeated float scomplex_val = 9;
  repeated int64 int64_val = 10;
  repeated bool bool_val = 11;
  repeated double dcomplex_val = 12;
  repeated int32 half_val = 13;
  repeated uint32 uint32_val = 16;
  repeated uint64 uint64_val = 17;
  bytes float8_val = 18;
}

message CooSparse { string values_tensor_name = 1; }
message CompositeTensor { repeated TensorInfo components = 2; }
message TensorInfo {
  string name = 1;
  int32 dtype = 2;
  TensorShapeProto tensor_shape = 3;
  CooSparse coo_sparse = 4;
  CompositeTensor composite_tensor = 5;
}
message SignatureDef {
  map<string, TensorInfo> inputs = 1;
  map<string, TensorInfo> outputs = 2;
  string method_name = 3;
  map<string, TensorProto> defaults = 4;
}
message SignatureDefMap { map<string, SignatureDef> signature_def = 1; }

message ModelSpec { string name = 1; Int64Value version = 2; string signature_name = 3; string version_label = 4; }
message PredictRequest { ModelSpec model_spec = 1; map<string, TensorProto> inputs = 2; repeated string output_filter = 3; }
message PredictResponse { map<string, TensorProto> outputs = 1; ModelSpec model_spec = 2; }
message ExampleList { repeated Example examples = 1; }
message Input { ExampleList example_list = 1; }
message ClassificationRequest { ModelSpec model_spec = 1; Input input = 2; }
message Class { string label = 1; float score = 2; }
message Classifications { repeated Class classes = 1; }
message ClassificationResult { repeated Classifications classifications = 1; }
message ClassificationResponse { ClassificationResult result = 1; ModelSpec model_spec = 2; }
message RegressionRequest { ModelSpec model_spec = 1; Input input = 2; }
message Regression { float value = 1; }
message RegressionResult { repeated Regression regressions = 1; }
message RegressionResponse { RegressionResult result = 1; ModelSpec model_spec = 2; }
message GetModelMetadataRequest { ModelSpec model_spec = 1; repeated string metadata_field = 2; }
message GetModelMetadataResponse { ModelSpec model_spec = 1; map<string, Any> metadata = 2; }

message StatusProto { int32 error_code = 1; string error_message = 2; }
message ModelVersionStatus { int64 version = 1; int32 state = 2; StatusProto status = 3; }
message GetModelStatusRequest { ModelSpec model_spec = 1; }
message GetModelStatusResponse { repeated ModelVersionStatus model_version_status = 1; }

message Specific { repeated int64 versions = 1; }
message ServableVersionPolicy { Specific specific = 102; }
message ModelConfig {
  string name = 1;
  string base_path = 2;
  string model_platform = 4;
  ServableVersionPolicy model_version_policy = 7;
  map<string, int64> version_labels = 8;
}
message ModelConfigList { repeated ModelConfig config = 1; }
message ModelServerConfig { ModelConfigList model_config_list = 1; }
message ReloadConfigRequest { ModelServerConfig config = 1; }
message ReloadConfigResponse { StatusProto status = 1; }
"""

MODEL_VERSION_STATES = {0: "UNKNOWN", 10: "START", 20: "LOADING", 30: "AVAILABLE", 40: "UNLOADING", 50: "END"}

_MESSAGE = re.compile(r"message (\w+) \{(.*?)\}", re.DOTALL)
_FIELD = re.compile(r"(?:(repeated) )?(?:map<string, (\w+)>|(\w+)) (\w+) = (\d+);")


@functools.lru_cache(maxsize=None)
def messages() -> Any:
    """The message classes by name: messages().PredictRequest(...)."""
    file = descriptor_pb2.FileDescriptorProto(name=PACKAGE + ".proto", package=PACKAGE, syntax="proto3")
    for name, body in _MESSAGE.findall(DEFINITIONS):
        message = file.message_type.add(name=name)
        for repeated, map_value, kind, field_name, number in _FIELD.findall(body):
            if map_value:
                _add_map(message, field_name, int(number), map_value)
            else:
                _add_field(message, field_name, int(number), kind, bool(repeated))
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(file.SerializeToString())
    return types.SimpleNamespace(**{
        message.name: message_factory.GetMessageClass(pool.FindMessageTypeByName(PACKAGE + "." + message.name))
        for message in file.message_type
    })


def version() -> str:
    return str(google.protobuf.__version__)


def _add_field(message: Any, name: str, number: int, kind: str, repeated: bool = False) -> None:
    proto = descriptor_pb2.FieldDescriptorProto
    field = message.field.add(
        name=name, number=number, label=proto.LABEL_REPEATED if repeated else proto.LABEL_OPTIONAL
    )
    if "TYPE_" + kind.upper() in dict(proto.Type.items()):
        field.type = proto.Type.Value("TYPE_" + kind.upper())
    else:
        field.type, field.type_name = proto.TYPE_MESSAGE, ".%s.%s" % (PACKAGE, kind)


def _add_map(message: Any, name: str, number: int, value: str) -> None:
    """A map is a repeated nested message of key and value, marked as such."""
    entry = message.nested_type.add(name="".join(word.capitalize() for word in name.split("_")) + "Entry")
    entry.options.map_entry = True
    _add_field(entry, "key", 1, "string")
    _add_field(entry, "value", 2, value)
    _add_field(message, name, number, "%s.%s" % (message.name, entry.name), repeated=True)
