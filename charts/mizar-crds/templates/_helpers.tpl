{{/* The labels that every object of this chart carries. */}}
{{- define "mizar-crds.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
app.kubernetes.io/name: mizar
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/component: definitions
app.kubernetes.io/part-of: mizar
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}
