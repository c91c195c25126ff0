{{/* The tutorial's object names; plugins/plugin_utils/settings/names.py knows them too. */}}
{{- define "serving.deployment" -}}
{{ .Release.Name }}-serving
{{- end }}

{{- define "serving.service" -}}
{{ .Release.Name }}-acs-tensorflow-serving
{{- end }}

{{- define "serving.selector" -}}
app.kubernetes.io/name: acs-tensorflow-serving
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "serving.labels" -}}
{{ include "serving.selector" . }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{/* The server's flags for what is set by value. They come before `args`, of which the server heeds the last. */}}
{{- define "serving.flags" -}}
{{- if .Values.modelConfig.configMap }}
- --model_config_file=/etc/tf-serving/models.config
- --allow_version_labels_for_unavailable_models=true
# While a candidate that cannot be loaded is tried again, the server takes no other config: 5 times 2 s, not 60 s.
- --load_retry_interval_micros=2000000
{{- end }}
{{- with int .Values.restPort }}
- --rest_api_port={{ . }}
{{- end }}
{{- if .Values.batching }}
- --enable_batching=true
- --batching_parameters_file=/etc/tf-serving/batching.config
{{- end }}
{{- if .Values.monitoring }}
- --monitoring_config_file=/etc/tf-serving/monitoring.config
{{- end }}
{{- with .Values.gpuMemoryFraction }}
- --per_process_gpu_memory_fraction={{ . }}
{{- end }}
{{- with int .Values.parallelism }}
- --tensorflow_session_parallelism={{ . }}
{{- end }}
{{- if .Values.tls.secret }}
- --ssl_config_file=/run/tf-serving/ssl.config
{{- end }}
{{- with int .Values.maxConnectionAgeSeconds }}
- --grpc_channel_arguments=grpc.max_connection_age_ms={{ mul . 1000 }}
{{- end }}
{{- end }}

{{/* What makes --ssl_config_file of the Secret's files, and becomes the server. That file holds PEM text, not paths; a line of it is a
string in protobuf's text format, and strings side by side are one. Kubernetes replaces only $(NAME) in it. */}}
{{- define "serving.tls" -}}
set -eu
umask 077
pem() { echo "$1:"; sed -n '/^-----BEGIN/,/^-----END/{s/[[:space:]]*$//;s/.*/"&\\n"/p;}' "/etc/tf-serving-tls/$2"; echo; }
{
  pem server_key tls.key
  pem server_cert tls.crt
  {{- if .Values.tls.clientVerify }}
  pem custom_ca ca.crt
  echo "client_verify: true"
  {{- end }}
} > /run/tf-serving/ssl.config
exec "$@"
{{- end }}

{{/* The server's parameter files by name, each in protobuf's text format; empty where none is needed. */}}
{{- define "serving.parameters" -}}
{{- with .Values.batching }}
batching.config: |
  {{- range $name, $value := . }}
  {{ $name }} { value: {{ int64 $value }} }
  {{- end }}
{{- end }}
{{- if .Values.monitoring }}
monitoring.config: |
  prometheus_config { enable: true path: "/monitoring/prometheus/metrics" }
{{- end }}
{{- end }}

{{/* How long a pod that is going still answers. Where connections have an age, until each has been told to go
elsewhere: gRPC spreads the age by a tenth, and what is on its way then gets 5 seconds and 2 to spare. No grace is set for it:
that would cut slow requests on pods that are not going at all. */}}
{{- define "serving.drain" -}}
{{- if not (kindIs "invalid" .Values.drainSeconds) }}
{{- int .Values.drainSeconds }}
{{- else if int .Values.maxConnectionAgeSeconds }}
{{- add (div (add (mul (int .Values.maxConnectionAgeSeconds) 11) 9) 10) 7 }}
{{- else }}
{{- 5 }}
{{- end }}
{{- end }}
