{{/*
A controller's Deployment. Both sides run the one image of the operator.
Call with (dict "root" $ "side" "serving" "part" .Values.serving "env" "further entries, as text").
*/}}
{{- define "crossfade.controllerDeployment" -}}
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ include "crossfade.fullname" .root }}-{{ .side }}
  namespace: {{ .root.Release.Namespace }}
  labels: {{- include "crossfade.labels" (dict "root" .root "component" .side) | nindent 4 }}
spec:
  replicas: {{ .part.replicas }}
  selector:
    matchLabels: {{- include "crossfade.selector" (dict "root" .root "component" .side) | nindent 6 }}
  template:
    metadata:
      labels:
        {{- include "crossfade.labels" (dict "root" .root "component" .side) | nindent 8 }}
        {{- with .root.Values.podLabels }}{{ toYaml . | nindent 8 }}{{ end }}
      annotations: {{- include "crossfade.podAnnotations" (dict "root" .root "port" 8080) | nindent 8 }}
    spec:
      serviceAccountName: {{ include "crossfade.fullname" .root }}-{{ .side }}
      automountServiceAccountToken: true
      enableServiceLinks: false
      securityContext: {{- include "crossfade.podSecurity" .root | nindent 8 }}
      {{- include "crossfade.placement" (dict "root" .root "part" .part) | nindent 6 }}
      containers:
        - name: controller
          image: {{ include "crossfade.image" (dict "root" .root "image" .root.Values.serving.image) }}
          imagePullPolicy: {{ .root.Values.serving.image.pullPolicy }}
          command: [crossfade-operator, {{ .side }}]
          env:
            - name: CROSSFADE_ANALYZER_URL
              value: {{ include "crossfade.analyzerUrl" .root }}
            - name: CROSSFADE_NAMESPACES
              value: {{ join "," .root.Values.serving.namespaces | quote }}
            - name: CROSSFADE_LEASE_NAME
              value: {{ include "crossfade.fullname" .root }}-{{ .side }}
            - name: CROSSFADE_LISTEN
              value: 0.0.0.0:8080
            - name: POD_NAME
              valueFrom: {fieldRef: {fieldPath: metadata.name}}
            - name: POD_NAMESPACE
              valueFrom: {fieldRef: {fieldPath: metadata.namespace}}
            {{- with .env }}{{ . | nindent 12 }}{{ end }}
            {{- range $name, $value := .part.env }}
            - name: {{ $name }}
              value: {{ $value | quote }}
            {{- end }}
          ports:
            - {name: http, containerPort: 8080}
          startupProbe:
            httpGet: {path: /healthz, port: http}
            periodSeconds: 2
            failureThreshold: 30
          livenessProbe:
            httpGet: {path: /healthz, port: http}
            periodSeconds: 10
            timeoutSeconds: 5
            failureThreshold: 6
          readinessProbe:
            httpGet: {path: /readyz, port: http}
            periodSeconds: 5
            timeoutSeconds: 5
          resources: {{- toYaml .part.resources | nindent 12 }}
          securityContext: {{- include "crossfade.containerSecurity" .root | nindent 12 }}
          volumeMounts:
            - {name: tmp, mountPath: /tmp}
      volumes:
        - name: tmp
          emptyDir: {sizeLimit: 64Mi}
{{- end }}

{{/*
A controller's roles: its rules in every namespace, or in each of those that are served, and its own Lease.
Call with (dict "root" $ "side" "serving" "rules" (include "crossfade.servingRules" .)).
*/}}
{{- define "crossfade.controllerAccess" -}}
{{- $name := printf "%s-%s" (include "crossfade.fullname" .root) .side }}
{{- $labels := include "crossfade.labels" (dict "root" .root "component" .side) }}
{{- $subjects := list (dict "kind" "ServiceAccount" "name" $name "namespace" .root.Release.Namespace) }}
{{- if not .root.Values.serving.namespaces }}
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata:
  name: {{ $name }}
  labels: {{- $labels | nindent 4 }}
rules: {{- .rules | nindent 2 }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata:
  name: {{ $name }}
  labels: {{- $labels | nindent 4 }}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: {{ $name }}}
subjects: {{- toYaml $subjects | nindent 2 }}
---
{{- end }}
{{- $rules := .rules }}
{{- range .root.Values.serving.namespaces }}
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata:
  name: {{ $name }}
  namespace: {{ . }}
  labels: {{- $labels | nindent 4 }}
rules: {{- $rules | nindent 2 }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata:
  name: {{ $name }}
  namespace: {{ . }}
  labels: {{- $labels | nindent 4 }}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: {{ $name }}}
subjects: {{- toYaml $subjects | nindent 2 }}
---
{{- end }}
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata:
  name: {{ $name }}-lease
  namespace: {{ .root.Release.Namespace }}
  labels: {{- $labels | nindent 4 }}
rules:
  - apiGroups: [coordination.k8s.io]
    resources: [leases]
    verbs: [create]
  - apiGroups: [coordination.k8s.io]
    resources: [leases]
    resourceNames: [{{ $name }}]
    verbs: [get, update]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata:
  name: {{ $name }}-lease
  namespace: {{ .root.Release.Namespace }}
  labels: {{- $labels | nindent 4 }}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: {{ $name }}-lease}
subjects: {{- toYaml $subjects | nindent 2 }}
{{- end }}
