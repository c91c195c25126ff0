{{/* The tutorial's object names; plugins/module_utils/_names.py knows them too. */}}
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
