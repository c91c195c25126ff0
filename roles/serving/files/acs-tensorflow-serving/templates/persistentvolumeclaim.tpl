apiVersion: v1
kind: PersistentVolumeClaim
metadata:
  name: {{ include "serving.service" . }}
  labels:
    {{- include "serving.labels" . | nindent 4 }}
spec:
  accessModes:
    - ReadWriteMany
  # Empty on purpose: a default StorageClass would otherwise make a volume of its own.
  storageClassName: ""
  resources:
    requests:
      storage: {{ .Values.persistence.pvc.storage }}
  {{- with .Values.persistence.pvc.matchLabels }}
  selector:
    matchLabels:
      {{- toYaml . | nindent 6 }}
  {{- end }}
  {{- with .Values.persistence.pvc.volumeName }}
  volumeName: {{ . | quote }}
  {{- end }}
