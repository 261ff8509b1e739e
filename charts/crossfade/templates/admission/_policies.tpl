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

{{/*
Whoever signs a request that needs no name signs with their own: `crossfade.dev/<verb>-by` is what was asked, a space,
and the user name. A signature of another request says nothing and stands in nobody's way.
Call with (dict "root" $ "policy" NAME "resource" PLURAL "verbs" VERBS "asked" CEL of `it`, with VERB for the verb).
*/}}
{{- define "crossfade.signaturePolicy" -}}
{{- $key := `it.metadata.?annotations[?'crossfade.dev/VERB-by'].orValue('')` -}}
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {{- include "crossfade.policyMetadata" . | nindent 2 }}
spec:
  failurePolicy: Fail
  matchConstraints:
    resourceRules:
      - apiGroups: [crossfade.dev]
        apiVersions: ["*"]
        operations: [CREATE, UPDATE]
        resources: [{{ .resource }}]
  validations:
    {{- range .verbs }}
    {{- $asked := $.asked | replace "VERB" . }}
    {{- $signature := $key | replace "VERB" . }}
    - expression: >-
        !{{ $signature | replace "it." "object." }}.startsWith({{ $asked | replace "it." "object." }} + ' ')
        || {{ $signature | replace "it." "object." }}
        == {{ $asked | replace "it." "object." }} + ' ' + request.userInfo.username
        || (oldObject != null
        && {{ $signature | replace "it." "object." }} == {{ $signature | replace "it." "oldObject." }}
        && {{ $asked | replace "it." "object." }} == {{ $asked | replace "it." "oldObject." }})
      reason: Forbidden
      messageExpression: >-
        'the annotation crossfade.dev/{{ . }}-by is signed with your own user name, "'
        + {{ $asked | replace "it." "object." }} + ' ' + request.userInfo.username
        + '", or left out: nobody asks in the name of another'
    {{- end }}
{{ include "crossfade.policyBinding" . }}
{{- end }}
