{{- with .Values.networkPolicy }}
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: {{ include "serving.deployment" $ }}
  labels:
    {{- include "serving.labels" $ | nindent 4 }}
spec:
  podSelector:
    matchLabels:
      {{- include "serving.selector" $ | nindent 6 }}
  policyTypes:
    - Ingress
  ingress:
    - from:
        {{- toYaml . | nindent 8 }}
      ports:
        - port: grpc
        {{- if int $.Values.restPort }}
        - port: http
        {{- end }}
{{- end }}
