{{- define "lookalike.name" -}}
{{- if contains .Chart.Name .Release.Name -}}
{{ .Release.Name | trunc 50 | trimSuffix "-" }}
{{- else -}}
{{ printf "%s-%s" .Release.Name .Chart.Name | trunc 50 | trimSuffix "-" }}
{{- end -}}
{{- end -}}

{{- define "lookalike.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "lookalike.labels" -}}
{{ include "lookalike.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end -}}

{{/* What would not work is refused here, before anything is installed. */}}
{{- define "lookalike.check" -}}
{{- if and (not .Values.qdrant.url) (or .Values.autoscaling.enabled (gt (int .Values.replicas) 1)) -}}
{{- fail "Without qdrant.url the points are in one pod's volume, which no other pod can open: set qdrant.url, or replicas to 1 and autoscaling.enabled to false." -}}
{{- end -}}
{{- if and (not .Values.apiKeys.existingSecret) (not .Values.open) -}}
{{- fail "Who may call? Put API keys into a Secret (lookalike keys new --role admin --file keys.json; kubectl create secret generic lookalike-keys --from-file keys.json) and name it in apiKeys.existingSecret; or set open to true if something in front of the service authenticates." -}}
{{- end -}}
{{- if and .Values.monitoring.serviceMonitor.enabled .Values.apiKeys.existingSecret (not .Values.monitoring.serviceMonitor.keySecret) -}}
{{- fail "The service asks for API keys, also at /metrics: name a Secret with one of role read in monitoring.serviceMonitor.keySecret." -}}
{{- end -}}
{{- end -}}
