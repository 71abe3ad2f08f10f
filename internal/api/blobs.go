package api

import (
	"context"
	"errors"
	"strconv"
	"time"

	"onemap/internal/blobs"
	"onemap/internal/registry"
)

// limitNames leaves room for a thousand hashes.
const limitNames = 96 << 10

// blobTime is how long keeping a piece may take once it is here: its sender may be gone.
const blobTime = 30 * time.Second

// photoPolicy: whatever a photo turns out to be, it runs nothing and loads nothing.
const photoPolicy = "default-src 'none'; sandbox; frame-ancestors 'none'"

// blobState is how much of a photo is here.
type blobState struct {
	SHA256   string `json:"sha256"`
	Offset   int64  `json:"offset"`
	Complete bool   `json:"complete"`
}

// putBlob takes the next piece of a photo. Its end is one answer: the file is whole, its
// hash is right, and it lies on the disk.
func (s *Server) putBlob(_ context.Context, req *Request) (*Response, error) {
	offset, err := uploadNumber(req.uploadOffset)
	if err != nil {
		return nil, invalid("Upload-Offset", "应为已有的字节数", "it is the number of bytes that are there")
	}
	length, err := uploadNumber(req.uploadLength)
	if err != nil {
		return nil, invalid("Upload-Length", "应为文件的字节总数", "it is the number of bytes of the file")
	}
	// Not under the request's context: what a line brought before it broke is kept.
	ctx, cancel := context.WithTimeout(s.base, blobTime)
	defer cancel()
	name := req.Param(0)
	st, err := s.opts.Blobs.Put(ctx, req.Who, blobs.Piece{SHA256: name, Offset: offset, Length: length, Path: req.upload, Size: req.uploaded})
	var wrong *blobs.OffsetError
	switch {
	case errors.As(err, &wrong):
		resp := (&Error{Code: CodeConflict, As: "wrong_offset", Args: []any{text("下一段应从 "+strconv.FormatInt(wrong.Offset, 10)+" 字节开始", "the next piece begins at byte "+strconv.FormatInt(wrong.Offset, 10))}}).response(req.Lang, req.ID)
		resp.Set("Upload-Offset", strconv.FormatInt(wrong.Offset, 10))
		return resp, nil
	case err != nil:
		return nil, err
	case req.broken != nil:
		return nil, req.broken
	}
	resp, err := answer(typeJSON, blobState(st))
	if err != nil {
		return nil, err
	}
	resp.ETag, resp.Cache = "", privateNoStore
	if st.Complete {
		resp.Status = 201
	}
	resp.Set("Upload-Offset", strconv.FormatInt(st.Offset, 10))
	return resp, nil
}

// uploadNumber reads a number of bytes of a header; none is 0.
func uploadNumber(s string) (int64, error) {
	if s == "" {
		return 0, nil
	}
	for _, c := range []byte(s) {
		if c < '0' || c > '9' {
			return 0, strconv.ErrSyntax
		}
	}
	return strconv.ParseInt(s, 10, 64)
}

// getBlob gives a photo, or with size a small picture of it. HEAD says how much of it is
// here, also to its sender before it is whole.
func (s *Server) getBlob(ctx context.Context, req *Request) (*Response, error) {
	name := req.Param(0)
	size := 0
	switch v, given := req.Query.Get("size"); {
	case !given:
	case v == "320":
		size = 320
	case v == "1280":
		size = 1280
	default:
		return nil, invalid("size", "应为 320 或 1280", "it is 320 or 1280")
	}
	if req.Method == "HEAD" && size == 0 {
		st, err := s.opts.Blobs.State(ctx, req.Who, name)
		if err != nil {
			return nil, err
		}
		resp := &Response{Status: 200, Cache: privateNoStore}
		resp.Set("Upload-Offset", strconv.FormatInt(st.Offset, 10))
		if st.Complete {
			resp.Set("Upload-Length", strconv.FormatInt(st.Offset, 10))
		}
		return resp, nil
	}
	p, err := s.opts.Blobs.Photo(ctx, req.Who, name, size)
	if err != nil {
		return nil, err
	}
	etag := `"` + name + `"`
	if size > 0 {
		etag = `"` + name + "-" + strconv.Itoa(size) + `"`
	}
	// Asked again every time: who may see it may change, the bytes do not.
	resp := &Response{Type: p.Type, ETag: etag, Cache: revalidate, Policy: photoPolicy, file: &fileBody{r: p.File, c: p.File, size: p.Size}}
	ext := map[string]string{"image/jpeg": "jpg", "image/png": "png", "image/webp": "webp"}[p.Type]
	resp.Set("Content-Disposition", `inline; filename="`+name[:12]+"."+ext+`"`)
	return resp, nil
}

type missingRequest struct {
	SHA256 []string `json:"sha256"`
}

type missingReply struct {
	Missing []blobState `json:"missing"`
}

// postBlobsMissing says which photos are not here whole, and where each goes on.
func (s *Server) postBlobsMissing(ctx context.Context, req *Request) (*Response, error) {
	var in missingRequest
	if err := readJSON(req, &in); err != nil {
		return nil, err
	}
	if len(in.SHA256) > blobs.MaxNames {
		p := problem(CodeInvalid)
		p.Items = []Item{{Path: "/sha256", Code: "too_many", Message: text("一次至多 1000 个", "1000 at most at once").In(req.Lang)}}
		return nil, p
	}
	list, err := s.opts.Blobs.Missing(ctx, req.Who, in.SHA256)
	if err != nil {
		return nil, err
	}
	out := missingReply{Missing: make([]blobState, len(list))}
	for i, st := range list {
		out.Missing[i] = blobState(st)
	}
	resp, err := answer(typeJSON, out)
	if err == nil {
		resp.Cache, resp.ETag = privateNoStore, ""
	}
	return resp, err
}

// blobProblem says what the store of photos refuses.
func blobProblem(lang registry.Lang, err error) *Error {
	refuse := func(code Code, path, zh, en string) *Error {
		p := wrap(CodeInvalid, err)
		p.As, p.Items = code, []Item{{Path: path, Code: string(code), Message: text(zh, en).In(lang)}}
		return p
	}
	switch {
	case errors.Is(err, blobs.ErrAbsent):
		return wrap(CodeNotFound, err)
	case errors.Is(err, blobs.ErrForbidden):
		return wrap(CodeForbidden, err)
	case errors.Is(err, blobs.ErrFull):
		return wrap(CodeDiskFull, err)
	case errors.Is(err, blobs.ErrTooLarge):
		return wrap(CodeTooLarge, err)
	case errors.Is(err, blobs.ErrBusy):
		p := wrap(CodeConflict, err, text("另一请求正在写入同一文件，请稍后再试", "another request is writing the same file; try again shortly"))
		p.As, p.RetryAfter = "being_written", time.Second
		return p
	case errors.Is(err, blobs.ErrTooMany):
		p := wrap(CodeThrottled, err)
		p.As = "too_many_uploads"
		p.RetryAfter = time.Hour
		return p
	case errors.Is(err, blobs.ErrName):
		return refuse("bad_hash_name", "sha256", "名称应为 64 位小写十六进制的 SHA-256", "the name is a SHA-256 in 64 small hexadecimal digits")
	case errors.Is(err, blobs.ErrHash):
		return refuse("wrong_hash", "", "内容与名称的 SHA-256 不符，已丢弃，请重新上传", "the bytes do not have this SHA-256; they were dropped, send them again")
	case errors.Is(err, blobs.ErrImage):
		return refuse("not_an_image", "", "不是 JPEG、PNG 或 WebP 图片", "not a JPEG, PNG or WebP image")
	case errors.Is(err, blobs.ErrPixels):
		return refuse("too_many_pixels", "", "图片超过 5000 万像素", "the image has more than 50 million pixels")
	case errors.Is(err, blobs.ErrLength):
		return refuse("wrong_length", "Upload-Length", "长度应大于零，且不小于已有与新到的字节之和", "the length is above zero and not below what is there and came")
	case errors.Is(err, blobs.ErrPicture):
		return refuse("no_small_picture", "size", "这张照片无法生成缩略图，请打开原图", "there is no small picture of this photo; open the original")
	}
	return nil
}
