package api_test

import "net/http"

func (e *env) validate(*http.Request, *http.Response, []byte) {}
