{{/* User names and the group that the policies know. */}}
{{- define "crossfade.servingUser" -}}
system:serviceaccount:{{ .Release.Namespace }}:{{ include "crossfade.fullname" . }}-serving
{{- end }}

{{- define "crossfade.learningUser" -}}
system:serviceaccount:{{ .Release.Namespace }}:{{ include "crossfade.fullname" . }}-learning
{{- end }}

{{/* The name of a policy: of this release alone. Call with (dict "root" $ "policy" "records-are-kept"). */}}
{{- define "crossfade.policyName" -}}
{{ include "crossfade.fullname" .root }}-{{ .policy }}.{{ .root.Release.Namespace }}
{{- end }}

{{- define "crossfade.policyMetadata" -}}
name: {{ include "crossfade.policyName" . }}
labels: {{- include "crossfade.labels" (dict "root" .root "component" "admission") | nindent 2 }}
{{- end }}

{{/*
A policy in force, where the release serves: policies about a controller's own ServiceAccount hold everywhere instead.
Call with (dict "root" $ "policy" "records-are-kept" "everywhere" false).
*/}}
{{- define "crossfade.policyBinding" -}}
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {{- include "crossfade.policyMetadata" . | nindent 2 }}
spec:
  policyName: {{ include "crossfade.policyName" . }}
  validationActions: [Deny]
  {{- if and .root.Values.serving.namespaces (not .everywhere) }}
  matchResources:
    namespaceSelector:
      matchExpressions:
        - {key: kubernetes.io/metadata.name, operator: In, values: {{ toJson .root.Values.serving.namespaces }}}
  {{- end }}
{{- end }}
