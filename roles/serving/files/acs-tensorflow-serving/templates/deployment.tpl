{{- $gpu := int .Values.gpuCount }}
{{- $resources := deepCopy .Values.resources }}
{{- if $gpu }}
{{- $_ := set $resources "limits" (merge (dict "nvidia.com/gpu" $gpu) ($resources.limits | default dict)) }}
{{- end }}
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ include "serving.deployment" . }}
  labels:
    {{- include "serving.labels" . | nindent 4 }}
spec:
  {{- if not (kindIs "invalid" .Values.replicas) }}
  replicas: {{ int .Values.replicas }}
  {{- end }}
  selector:
    matchLabels:
      {{- include "serving.selector" . | nindent 6 }}
  # Time for the image on top of the time for the first load.
  progressDeadlineSeconds: {{ add (int .Values.startTimeoutSeconds) 600 }}
  strategy:
    type: RollingUpdate
    rollingUpdate:
      maxSurge: 1
      maxUnavailable: {{ int .Values.maxUnavailable }}
  template:
    metadata:
      labels:
        {{- include "serving.selector" . | nindent 8 }}
      {{- with .Values.podAnnotations }}
      annotations:
        {{- toYaml . | nindent 8 }}
      {{- end }}
    spec:
      automountServiceAccountToken: false
      # The server ignores SIGTERM: in effect this is how long a pod takes to go, ended by SIGKILL.
      # The preStop sleep below covers the time until the endpoints have forgotten the pod; the rest is
      # for an image whose server does handle SIGTERM.
      terminationGracePeriodSeconds: {{ add (int .Values.drainSeconds) 3 }}
      {{- with .Values.imagePullSecrets }}
      imagePullSecrets:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with .Values.podSecurityContext }}
      securityContext:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      containers:
        - name: serving
          image: {{ .Values.image | quote }}
          imagePullPolicy: {{ .Values.imagePullPolicy }}
          {{- with .Values.command }}
          command:
            {{- toYaml . | nindent 12 }}
          {{- end }}
          {{- with .Values.args }}
          args:
            {{- toYaml . | nindent 12 }}
          {{- end }}
          ports:
            - name: grpc
              containerPort: {{ int .Values.port }}
          # The port opens when the first load has succeeded, and says nothing afterwards: so no liveness probe.
          startupProbe:
            tcpSocket:
              port: grpc
            periodSeconds: 1
            failureThreshold: {{ int .Values.startTimeoutSeconds }}
          readinessProbe:
            tcpSocket:
              port: grpc
            periodSeconds: 1
          {{- if gt (int .Values.drainSeconds) 0 }}
          lifecycle:
            preStop:
              {{- if semverCompare ">=1.30-0" .Capabilities.KubeVersion.Version }}
              sleep:
                seconds: {{ int .Values.drainSeconds }}
              {{- else }}
              exec:
                command: [sleep, {{ int .Values.drainSeconds | quote }}]
              {{- end }}
          {{- end }}
          {{- with $resources }}
          resources:
            {{- toYaml . | nindent 12 }}
          {{- end }}
          {{- with .Values.securityContext }}
          securityContext:
            {{- toYaml . | nindent 12 }}
          {{- end }}
          volumeMounts:
            - name: model
              mountPath: {{ .Values.mountPath | quote }}
              readOnly: true
      volumes:
        - name: model
          persistentVolumeClaim:
            claimName: {{ include "serving.service" . }}
      topologySpreadConstraints:
        - maxSkew: 1
          topologyKey: kubernetes.io/hostname
          whenUnsatisfiable: ScheduleAnyway
          labelSelector:
            matchLabels:
              {{- include "serving.selector" . | nindent 14 }}
      {{- with .Values.nodeSelector }}
      nodeSelector:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with .Values.tolerations }}
      tolerations:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with .Values.affinity }}
      affinity:
        {{- toYaml . | nindent 8 }}
      {{- end }}
