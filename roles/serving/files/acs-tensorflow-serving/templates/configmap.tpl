{{- with include "serving.parameters" . }}
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ include "serving.deployment" $ }}
  labels:
    {{- include "serving.labels" $ | nindent 4 }}
data:
  {{- trim . | nindent 2 }}
{{- end }}
