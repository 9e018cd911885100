{{/*
The labels that every object carries. Called with a dict: context (the root) and component.
Pod templates and selectors do not use them: a changed pod template restarts the daemons, and a
selector can never change.
*/}}
{{- define "mizar.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .context.Chart.Name .context.Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
app.kubernetes.io/name: mizar
app.kubernetes.io/instance: {{ .context.Release.Name }}
app.kubernetes.io/version: {{ .context.Chart.AppVersion | quote }}
app.kubernetes.io/component: {{ .component }}
app.kubernetes.io/part-of: mizar
app.kubernetes.io/managed-by: {{ .context.Release.Service }}
{{- end }}

{{/* Not empty where the management components belong: the operator, its access and its configuration. */}}
{{- define "mizar.management" -}}
{{- if or (eq (int .Values.phase) 1) (eq .Values.site "management") }}true{{ end }}
{{- end }}

{{/* Not empty where the compute components belong: the daemon and its account. */}}
{{- define "mizar.compute" -}}
{{- if or (eq (int .Values.phase) 1) (eq .Values.site "compute") }}true{{ end }}
{{- end }}

{{/* The reference of an image. Called with a dict: context (the root) and image (an entry of images). */}}
{{- define "mizar.image" -}}
{{- if .context.Values.images.registry }}{{ .context.Values.images.registry }}/{{ end }}
{{- .image.repository }}
{{- if .image.digest }}@{{ .image.digest }}{{ else }}:{{ .image.tag | default .context.Chart.AppVersion }}{{ end }}
{{- end }}

{{/*
The paths of the tags that are set, of the images that this release uses, one space before each:
" images.init.tag images.daemon.tag".
*/}}
{{- define "mizar.taggedImages" -}}
{{- range $name := list "init" "daemon" "operator" }}
{{- $image := index $.Values.images $name }}
{{- if and $image.tag (include (ternary "mizar.management" "mizar.compute" (eq $name "operator")) $) }}
{{- printf " images.%s.tag" $name }}
{{- end }}
{{- end }}
{{- end }}

{{/* The same for the digests that are not set. */}}
{{- define "mizar.undigestedImages" -}}
{{- range $name := list "init" "daemon" "operator" }}
{{- $image := index $.Values.images $name }}
{{- if and (not $image.digest) (include (ternary "mizar.management" "mizar.compute" (eq $name "operator")) $) }}
{{- printf " images.%s.digest" $name }}
{{- end }}
{{- end }}
{{- end }}

{{/* The prefix length of the own pod network: 16 for 10.20.0.0/16. */}}
{{- define "mizar.podNetwork.prefix" -}}
{{- trunc -2 .Values.podNetwork.cidr | replace "/" "" }}
{{- end }}

{{/* The base address of the own pod network: 10.20.0.0 for 10.20.0.0/16. */}}
{{- define "mizar.podNetwork.ip" -}}
{{- trimSuffix (printf "/%s" (include "mizar.podNetwork.prefix" .)) .Values.podNetwork.cidr }}
{{- end }}
