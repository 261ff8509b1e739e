{{- define "crossfade.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 40 | trimSuffix "-" }}
{{- end }}

{{/* The release's name, or release-chart when the release is called something else. */}}
{{- define "crossfade.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" }}
{{- else if contains (include "crossfade.name" .) .Release.Name }}
{{- .Release.Name | trunc 40 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name (include "crossfade.name" .) | trunc 40 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{/* Labels. Call with (dict "root" $ "component" "serving"). */}}
{{- define "crossfade.selector" -}}
app.kubernetes.io/name: {{ include "crossfade.name" .root }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{- define "crossfade.labels" -}}
{{ include "crossfade.selector" . }}
app.kubernetes.io/part-of: crossfade
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name (.root.Chart.Version | replace "+" "_") }}
{{- end }}

{{/* An image reference. Call with (dict "root" $ "image" .Values.serving.image). */}}
{{- define "crossfade.image" -}}
{{ printf "%s:%s" .image.repository (default .root.Chart.AppVersion .image.tag) }}
{{- end }}

{{/* What Pod Security "restricted" asks of a pod, and a user that owns nothing in any image. */}}
{{- define "crossfade.podSecurity" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
fsGroupChangePolicy: OnRootMismatch
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "crossfade.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end }}

{{/* Scheduling and pull secrets. Call with (dict "root" $ "part" .Values.serving). */}}
{{- define "crossfade.placement" -}}
{{- with .root.Values.imagePullSecrets }}
imagePullSecrets:
{{- range . }}
  - name: {{ . }}
{{- end }}
{{- end }}
{{- with .part.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .part.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .part.affinity }}
affinity: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* Pod annotations: scraped by the chart's own Prometheus, or by any that follows them. */}}
{{- define "crossfade.podAnnotations" -}}
prometheus.io/scrape: "true"
prometheus.io/port: {{ .port | quote }}
prometheus.io/path: /metrics
{{- with .root.Values.podAnnotations }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "crossfade.ownPrometheus" -}}
{{- if not .Values.prometheus.url }}true{{ end }}
{{- end }}

{{- define "crossfade.prometheusUrl" -}}
{{- if .Values.prometheus.url }}
{{- .Values.prometheus.url }}
{{- else }}
{{- printf "http://%s-prometheus.%s.svc:9090" (include "crossfade.fullname" .) .Release.Namespace }}
{{- end }}
{{- end }}

{{- define "crossfade.analyzerUrl" -}}
{{- printf "http://%s-analyzer.%s.svc" (include "crossfade.fullname" .) .Release.Namespace }}
{{- end }}
