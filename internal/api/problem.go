package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"onemap/internal/registry"
)

// Code is the stable name of a problem; clients branch on it.
type Code string

// The problems.
const (
	CodeMalformed         Code = "malformed_request"
	CodeBadPath           Code = "bad_path"
	CodeBadQuery          Code = "bad_query"
	CodeRepeatedParameter Code = "repeated_parameter"
	CodeUnknownParameter  Code = "unknown_parameter"
	CodeInvalidParameter  Code = "invalid_parameter"
	CodeMissingParameter  Code = "missing_parameter"
	CodeBodyNotAllowed    Code = "body_not_allowed"
	CodeForbidden         Code = "forbidden"
	CodeNotFound          Code = "not_found"
	CodeBasemapSilent     Code = "basemap_silent"
	CodeMethodNotAllowed  Code = "method_not_allowed"
	CodeNotAcceptable     Code = "not_acceptable"
	CodeRequestTimeout    Code = "request_timeout"
	CodeTooLarge          Code = "too_large"
	CodeURITooLong        Code = "uri_too_long"
	CodeHeadersTooLarge   Code = "headers_too_large"
	CodeInternal          Code = "internal"
	CodeSetupRequired     Code = "setup_required"
	CodeOverloaded        Code = "overloaded"
	CodeUnavailable       Code = "unavailable"
	CodeNotCaughtUp       Code = "not_caught_up"
	CodeQueryTimeout      Code = "query_timeout"
	CodeClientGone        Code = "client_gone"
	CodeDiskFull          Code = "disk_full"

	CodeNotSignedIn          Code = "not_signed_in"
	CodeSignInFailed         Code = "sign_in_failed"
	CodeSecondFactorRequired Code = "second_factor_required"
	CodeSessionLimited       Code = "session_limited"
	CodeCrossSite            Code = "cross_site"
	CodeFourEyes             Code = "four_eyes"
	CodeUnsupportedType      Code = "unsupported_type"
	CodeInvalidBody          Code = "invalid_body"
	CodeInvalid              Code = "invalid"
	CodeConflict             Code = "conflict"
	CodeStale                Code = "stale"
	CodePreconditionRequired Code = "precondition_required"
	CodeThrottled            Code = "throttled"
	CodeSetupDone            Code = "setup_done"
	CodeSetupLink            Code = "setup_link"
	CodeRightsStale          Code = "rights_stale"
	CodeNotAvailable         Code = "not_available"
)

// Text is a phrase in both languages.
type Text struct{ ZH, EN string }

func text(zh, en string) Text { return Text{ZH: zh, EN: en} }

// In returns the phrase in a language.
func (t Text) In(l registry.Lang) string {
	if l == registry.English {
		return t.EN
	}
	return t.ZH
}

// word is one entry of the message table. A detail's verbs take the error's
// arguments; a Text argument is rendered in the client's language.
type word struct {
	status        int
	title, detail Text
}

// words is the message table.
func (c Code) words() word {
	switch c {
	case CodeMalformed:
		return word{400, text("请求格式错误", "Malformed request"), text("请求不符合 HTTP 规范:%v", "The request does not follow HTTP: %v.")}
	case CodeBadPath:
		return word{400, text("路径无效", "Bad path"), text("路径含有空段、点段、转义的分隔符、控制字符或无效的 UTF-8。", "The path has empty or dotted segments, escaped separators, control characters or broken UTF-8.")}
	case CodeBadQuery:
		return word{400, text("查询参数无效", "Bad query string"), text("查询串含有错误的转义、控制字符、无效的 UTF-8 或过多的参数。", "The query string has broken escapes, control characters, broken UTF-8 or too many parameters.")}
	case CodeRepeatedParameter:
		return word{400, text("参数重复", "Repeated parameter"), text("参数 %v 只能出现一次。", "Parameter %v may appear only once.")}
	case CodeUnknownParameter:
		return word{400, text("未知参数", "Unknown parameter"), text("此处没有参数 %v。", "There is no parameter %v here.")}
	case CodeInvalidParameter:
		return word{400, text("参数无效", "Invalid parameter"), text("参数 %v:%v。", "Parameter %v: %v.")}
	case CodeMissingParameter:
		return word{400, text("缺少参数", "Missing parameter"), text("需要参数 %v。", "Parameter %v is required.")}
	case CodeBodyNotAllowed:
		return word{400, text("不接受请求体", "No body allowed"), text("此请求不能带有请求体。", "This request cannot carry a body.")}
	case CodeForbidden:
		return word{403, text("不允许", "Not allowed"), text("没有权限执行此操作。", "You may not do this.")}
	case CodeNotFound:
		return word{404, text("未找到", "Not found"), text("此处没有内容，或您看不到它。", "There is nothing here, or nothing you may see.")}
	case CodeMethodNotAllowed:
		return word{405, text("方法不允许", "Method not allowed"), text("此路径只接受 %v。", "This path accepts %v only.")}
	case CodeNotAcceptable:
		return word{406, text("无法提供所需格式", "Not acceptable"), text("此路径只提供 %v。", "This path offers %v only.")}
	case CodeRequestTimeout:
		return word{408, text("请求超时", "Request timeout"), text("请求没有及时到达。", "The request did not arrive in time.")}
	case CodeTooLarge:
		return word{413, text("内容过大", "Too large"), text("请求体超过限值。", "The body is larger than allowed.")}
	case CodeURITooLong:
		return word{414, text("地址过长", "URI too long"), text("请求地址超过 %v 字节。", "The request target is longer than %v bytes.")}
	case CodeHeadersTooLarge:
		return word{431, text("请求头过大", "Header fields too large"), text("请求头过大或过多。", "The header fields are too large or too many.")}
	case CodeSetupRequired:
		return word{503, text("尚未完成设置", "Set-up required"), text("建立账户之前，本系统只在本机上只读演示。", "Until accounts exist this server shows itself, read only, on its own machine.")}
	case CodeOverloaded:
		return word{503, text("繁忙", "Overloaded"), text("请求过多，请稍后再试。", "Too many requests at once; try again shortly.")}
	case CodeUnavailable:
		return word{503, text("暂不可用", "Unavailable"), text("数据库暂不可用，正在恢复。", "The database is not available; it is being recovered.")}
	case CodeNotCaughtUp:
		return word{503, text("尚未同步", "Not caught up"), text("本节点还没有读到所要求的位置。", "This node has not reached the position asked for.")}
	case CodeQueryTimeout:
		return word{503, text("查询超时", "Query timeout"), text("查询耗时过长，已停止。请缩小范围。", "The query took too long and was stopped; ask for less.")}
	case CodeBasemapSilent:
		return word{503, text("底图暂不可用", "Base map not available"), text("底图所在的服务器没有回答。其余部分照常。", "The server of the base map does not answer. Everything else works.")}
	case CodeClientGone:
		return word{499, text("客户端已离开", "Client left"), text("客户端已断开。", "The client left.")}
	case CodeDiskFull:
		return word{507, text("磁盘已满", "Disk full"), text("服务器磁盘已满。", "The server's disk is full.")}
	case CodeNotSignedIn:
		return word{401, text("未登录", "Not signed in"), text("请先登录，或您看不到此处的内容。", "Sign in first; there is nothing here for everybody.")}
	case CodeSignInFailed:
		return word{401, text("登录失败", "Sign-in failed"), text("用户名、密码或验证码不正确，或账户不可用。", "The name, the password or the code is wrong, or the account cannot be used.")}
	case CodeSecondFactorRequired:
		return word{401, text("需要第二因素", "Second factor required"), text("请输入验证码或恢复码。", "Give the code of the second factor, or a recovery code.")}
	case CodeSessionLimited:
		return word{403, text("登录尚未完成", "Sign-in is not complete"), text("%v。", "%v.")}
	case CodeCrossSite:
		return word{403, text("来自其他网站", "From another site"), text("此操作只能从本站页面发起。", "This can only be asked for by a page of this site.")}
	case CodeFourEyes:
		return word{403, text("须由另一人执行", "Another person must do this"), text("提出人不能自己确认。", "Whoever proposed it cannot confirm it.")}
	case CodeUnsupportedType:
		return word{415, text("内容类型不支持", "Unsupported type"), text("此处只接受 %v。", "This takes %v only.")}
	case CodeInvalidBody:
		return word{400, text("请求体无效", "Invalid body"), text("请求体:%v。", "The body: %v.")}
	case CodeInvalid:
		return word{422, text("内容不符合要求", "Invalid content"), text("内容格式正确但不符合要求，详见各项。", "The content is well formed but not valid; see the errors.")}
	case CodeConflict:
		return word{409, text("与现状冲突", "Conflict"), text("%v", "%v")}
	case CodeStale:
		return word{412, text("内容已被修改", "Changed meanwhile"), text("您看到的不是最新版本，请重新读取。", "What you changed is not the newest version; read it again.")}
	case CodePreconditionRequired:
		return word{428, text("缺少 If-Match", "If-Match is required"), text("修改须带上所依据的版本(If-Match)。", "A change names the version it was made from (If-Match).")}
	case CodeThrottled:
		return word{429, text("尝试过多", "Too many attempts"), text("请稍后再试。", "Try again later.")}
	case CodeSetupDone:
		return word{409, text("设置已完成", "Set-up is done"), text("已有管理员，设置链接不再有效。", "An administrator exists; the set-up link is void.")}
	case CodeSetupLink:
		return word{403, text("设置链接无效", "The set-up link is not valid"), text("设置链接有误或已过期，请使用服务器刚刚显示的链接。", "The set-up link is wrong or has expired; use the one the server printed last.")}
	case CodeRightsStale:
		return word{503, text("权限暂不可知", "Rights are not known"), text("暂时读不到最新的权限，为安全起见不作答。", "The present rights could not be read; for safety nothing is answered.")}
	case CodeNotAvailable:
		return word{422, text("此操作尚不可用", "Not available"), text("系统还不能执行此操作。", "This action cannot be carried out yet.")}
	default:
		return word{500, text("内部错误", "Internal error"), text("服务器出错，已记录。", "Something went wrong here; it has been logged.")}
	}
}

// Error is what a handler returns instead of a response.
type Error struct {
	Code       Code
	Args       []any
	Items      []Item
	Swap       json.RawMessage // evidence that latitude and longitude were exchanged
	Theirs     json.RawMessage // of 409 stale: the features as somebody else left them
	As         Code            // a finer code than the words', of 409
	Allow      string          // of 405
	RetryAfter time.Duration   // of 503 and 429
	Forget     string          // cookie of a session that is no more
	Err        error           // the cause, for the log only
}

// Item is one finding inside a problem.
type Item struct {
	Path     string          `json:"path"`
	Code     string          `json:"code"`
	Message  string          `json:"message"`
	Geometry json.RawMessage `json:"geometry,omitempty"`
	// Proposals are repairs of a zoning edit, the best first.
	Proposals []Proposal `json:"proposals,omitempty"`
}

// Error makes it an error.
func (e *Error) Error() string {
	if e.Err != nil {
		return fmt.Sprintf("api: %s: %v", e.Code, e.Err)
	}
	return "api: " + string(e.Code)
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

func problem(c Code, args ...any) *Error {
	e := &Error{Code: c, Args: args}
	if c == CodeURITooLong && len(args) == 0 {
		e.Args = []any{maxTarget}
	}
	switch c {
	case CodeOverloaded, CodeNotCaughtUp:
		e.RetryAfter = time.Second
	case CodeUnavailable, CodeQueryTimeout, CodeRightsStale, CodeBasemapSilent:
		e.RetryAfter = 3 * time.Second
	case CodeSetupRequired:
		e.RetryAfter = time.Minute
	default:
	}
	return e
}

// invalid is the commonest problem: a parameter that does not fit.
func invalid(name string, zh, en string) *Error {
	return problem(CodeInvalidParameter, name, text(zh, en))
}

// document is application/problem+json (RFC 9457).
type document struct {
	Type     string `json:"type"`
	Title    string `json:"title"`
	Status   int    `json:"status"`
	Code     Code   `json:"code"`
	Detail   string `json:"detail"`
	Instance string `json:"instance"`
	Errors   []Item `json:"errors,omitempty"`

	Theirs json.RawMessage `json:"theirs,omitempty"`
	Swap   json.RawMessage `json:"swap_proposal,omitempty"`
}

const problemType = "application/problem+json; charset=utf-8"

// response renders the problem for a client.
func (e *Error) response(lang registry.Lang, id string) *Response {
	w := e.Code.words()
	args := make([]any, len(e.Args))
	for i, a := range e.Args {
		if t, ok := a.(Text); ok {
			a = t.In(lang)
		}
		args[i] = a
	}
	detail := w.detail.In(lang)
	if len(args) > 0 {
		detail = fmt.Sprintf(detail, args...)
	}
	code := e.Code
	if e.As != "" {
		code = e.As
	}
	body, err := json.Marshal(document{
		Type: "about:blank", Title: w.title.In(lang), Status: w.status, Code: code,
		Detail: detail, Instance: "urn:onemap:request:" + id, Errors: e.Items, Theirs: e.Theirs, Swap: e.Swap,
	})
	if err != nil { // a geometry in Items that is no JSON
		body = []byte(`{"type":"about:blank","title":"Internal error","status":500,"code":"internal","detail":"","instance":""}`)
	}
	resp := &Response{Status: w.status, Type: problemType, Body: body, Cache: "no-store"}
	if e.Allow != "" {
		resp.Set("Allow", e.Allow)
	}
	if e.RetryAfter > 0 {
		resp.Set("Retry-After", fmt.Sprint(int((e.RetryAfter+time.Second-1)/time.Second)))
	}
	if e.Code == CodeNotSignedIn {
		resp.Set("WWW-Authenticate", "Bearer")
	}
	if e.Forget != "" {
		resp.Set("Set-Cookie", e.Forget)
	}
	resp.Set("Content-Language", string(lang))
	return resp
}

// asProblem turns any error into one a client may see.
func asProblem(err error) *Error {
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	return &Error{Code: CodeInternal, Err: err}
}
