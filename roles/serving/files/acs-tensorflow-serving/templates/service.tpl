apiVersion: v1
kind: Service
metadata:
  name: {{ include "serving.service" . }}
  labels:
    {{- include "serving.labels" . | nindent 4 }}
  {{- with .Values.serviceAnnotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  type: {{ .Values.serviceType }}
  ports:
    - name: grpc
      port: {{ int .Values.port }}
      targetPort: grpc
    {{- with int .Values.restPort }}
    - name: http
      port: {{ . }}
      targetPort: http
    {{- end }}
  selector:
    {{- include "serving.selector" . | nindent 4 }}
