{{- define "vmacd.name" -}}
{{- if contains .Chart.Name .Release.Name }}{{ .Release.Name }}{{ else }}{{ .Release.Name }}-{{ .Chart.Name }}{{ end -}}
{{- end }}

{{- define "vmacd.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "vmacd.labels" -}}
{{ include "vmacd.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{- /* A value of TOML. Helm's own `toToml` makes 3.0 of every 3, because values are JSON by then. */ -}}
{{- define "vmacd.toml" -}}
{{- if kindIs "map" . -}}
{ {{- range $at, $key := keys . | sortAlpha }}{{ if $at }},{{ end }} {{ $key | toJson }} = {{ include "vmacd.toml" (get $ $key) }}{{ end }} }
{{- else if kindIs "slice" . -}}
[{{ range $at, $of := . }}{{ if $at }}, {{ end }}{{ include "vmacd.toml" $of }}{{ end }}]
{{- else -}}
{{ toJson . }}
{{- end -}}
{{- end }}

{{- define "vmacd.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}

{{- /* Nobody, on a file system that nobody can change. */ -}}
{{- define "vmacd.podSecurityContext" -}}
runAsNonRoot: true
runAsUser: 65534
runAsGroup: 65534
fsGroup: 65534
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "vmacd.securityContext" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end }}

{{- /* Secrets are files, which no listing of processes or variables shows: `..._FILE` names them. */ -}}
{{- define "vmacd.secretVariable" -}}
{{ if hasSuffix "_FILE" . }}{{ . }}{{ else }}{{ . }}_FILE{{ end }}
{{- end }}

{{- define "vmacd.secretFiles" -}}
name: secrets
projected:
  defaultMode: 0440
  sources:
    {{- range $variable, $from := .secrets }}
    - secret:
        name: {{ $from.secret }}
        items: [{key: {{ $from.key | quote }}, path: {{ $variable }}}]
    {{- end }}
{{- end }}
