apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  name: {{ include "serving.deployment" . }}
  labels:
    {{- include "serving.labels" . | nindent 4 }}
spec:
  maxUnavailable: 1
  selector:
    matchLabels:
      {{- include "serving.selector" . | nindent 6 }}
