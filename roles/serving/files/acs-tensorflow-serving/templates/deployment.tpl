{{- $gpu := int .Values.gpuCount }}
{{- $drain := include "serving.drain" . | int }}
{{- $parameters := include "serving.parameters" . }}
{{- $annotations := deepCopy .Values.podAnnotations }}
{{- with $parameters }}
{{- /* The server reads its files once: with other contents there have to be other pods. */}}
{{- $_ := set $annotations "checksum/parameters" (sha256sum .) }}
{{- end }}
{{- with .Values.tls.checksum }}
{{- $_ := set $annotations "checksum/tls" . }}
{{- end }}
{{- $command := .Values.command }}
{{- if .Values.tls.secret }}
{{- if not $command }}
{{- fail "tls.secret needs command: what an image starts by itself is not known here" }}
{{- end }}
{{- $command = concat (list "sh" "-c" (include "serving.tls" .) "sh") $command }}
{{- end }}
{{- $tmp := .Values.securityContext.readOnlyRootFilesystem }}
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
      {{- with $annotations }}
      annotations:
        {{- toYaml . | nindent 8 }}
      {{- end }}
    spec:
      automountServiceAccountToken: false
      # The server ignores SIGTERM: in effect this is how long a pod takes to go, ended by SIGKILL.
      # The preStop sleep below covers the time until the endpoints have forgotten the pod; the rest is
      # for an image whose server does handle SIGTERM.
      terminationGracePeriodSeconds: {{ add $drain 3 }}
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
          {{- with $command }}
          command:
            {{- toYaml . | nindent 12 }}
          {{- end }}
          {{- with concat (include "serving.flags" . | fromYamlArray) .Values.args }}
          args:
            {{- toYaml . | nindent 12 }}
          {{- end }}
          {{- if $tmp }}
          # Where a GPU's driver keeps what it compiles, for a user without a home.
          env:
            - name: HOME
              value: /tmp
          {{- end }}
          ports:
            - name: grpc
              containerPort: {{ int .Values.port }}
            {{- with int .Values.restPort }}
            - name: http
              containerPort: {{ . }}
            {{- end }}
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
          {{- if gt $drain 0 }}
          lifecycle:
            preStop:
              {{- if semverCompare ">=1.30-0" .Capabilities.KubeVersion.Version }}
              sleep:
                seconds: {{ $drain }}
              {{- else }}
              exec:
                command: [sleep, {{ $drain | quote }}]
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
            {{- if or .Values.modelConfig.configMap $parameters }}
            # A whole folder: a file mounted by subPath would never change.
            - name: config
              mountPath: /etc/tf-serving
              readOnly: true
            {{- end }}
            {{- if .Values.tls.secret }}
            - name: tls
              mountPath: /etc/tf-serving-tls
              readOnly: true
            - name: tls-config
              mountPath: /run/tf-serving
            {{- end }}
            {{- if $tmp }}
            - name: tmp
              mountPath: /tmp
            {{- end }}
      volumes:
        - name: model
          persistentVolumeClaim:
            claimName: {{ include "serving.service" . }}
        {{- if or .Values.modelConfig.configMap $parameters }}
        - name: config
          projected:
            sources:
              {{- with .Values.modelConfig.configMap }}
              - configMap:
                  name: {{ . | quote }}
              {{- end }}
              {{- if $parameters }}
              - configMap:
                  name: {{ include "serving.deployment" . }}
              {{- end }}
        {{- end }}
        {{- with .Values.tls.secret }}
        # plugins/plugin_utils/check/trust.py reads in this volume that, and with what, a pod speaks TLS.
        - name: tls
          secret:
            secretName: {{ . | quote }}
        # In memory: a key is written to no disk.
        - name: tls-config
          emptyDir:
            medium: Memory
            sizeLimit: 1Mi
        {{- end }}
        {{- if $tmp }}
        - name: tmp
          emptyDir: {}
        {{- end }}
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
